internal import Journal
internal import RESP

// MARK: - Journals

extension FeedMachine {
    /// A journal that is followed.
    struct Stream: Sendable {
        let journal: JournalName
        var recent = RecentEntries(behind: .zero)
        /// Whether it was looked at.
        var isKnown = false
        var birth: String?
        var first: EntryID?
        /// The highest ID that it ever had here.
        var highest = EntryID.zero
        var reader: Int?
        var waiters: Set<Int> = []
        /// Those of them that watch.
        var watchers: Set<Int> = []
        /// Set while a look is on its way: the last ID known when it left.
        var looked: EntryID?
        /// When the last look left.
        var lookLeft = Duration.zero
        var nextLook = Duration.zero
        var unusedSince: Duration?
    }
}

// MARK: - Looks

extension FeedMachine {
    /// The number of a journal, which is followed from now on.
    mutating func follow(_ journal: JournalName) -> Int {
        if let number = numbers[journal] { return number }
        let id = number()
        numbers[journal] = id
        streams[id] = Stream(journal: journal)
        act(.look)
        return id
    }

    /// The journals to look at now; report `looked`. Forgets those that nobody has waited for in a while.
    mutating func takeLooks(at now: Duration) -> [JournalName] {
        forgetUnused(at: now)
        let interval = settings.lookInterval * Double(max(1, streams.count / 1000))
        var due: [JournalName] = []
        for (id, stream) in streams where stream.looked == nil {
            // Also where nobody waits: who asks next is served from memory.
            guard !stream.isKnown || isAway || stream.nextLook <= now else { continue }
            streams[id]?.looked = stream.recent.last
            streams[id]?.lookLeft = now
            streams[id]?.nextLook = now + interval
            due.append(stream.journal)
        }
        return due.sorted()
    }

    /// Journals were looked at.
    mutating func looked(_ looks: [(journal: JournalName, look: StreamLook)]) {
        var before: [Int: EntryID] = [:]
        for (journal, _) in looks {
            guard let id = numbers[journal] else { continue }
            before[id] = streams[id]?.looked
            streams[id]?.looked = nil
        }
        guard !looks.contains(where: { $0.look == .unreachable }) else {
            troubles.removeAll()
            return lost()
        }
        let wasAway = isAway
        isAway = false
        for (journal, look) in looks {
            guard let id = numbers[journal], let last = before[id] else { continue }
            switch look {
            case .facts(let facts): looked(at: id, facts, sinceLast: last)
            case .refused(let error): refuse(id, error)
            case .unreachable: break
            }
        }
        if wasAway { returned() }
    }

    private mutating func looked(at id: Int, _ facts: StreamFacts, sinceLast last: EntryID) {
        guard let stream = streams[id] else { return }
        streams[id]?.first = facts.first
        streams[id]?.birth = facts.birth ?? stream.birth
        guard stream.isKnown else {
            streams[id]?.isKnown = true
            restart(id, behind: facts.generated)
            // Nobody watches it yet, unless it could not be read for a while.
            tellWatchers(of: id)
            for waiter in stream.waiters.sorted() { settle(waiter) }
            return
        }
        let isReborn = stream.birth != nil && facts.birth != nil && facts.birth != stream.birth
        if isReborn || facts.generated < last {
            restart(id, behind: facts.generated)
            tellStale(id, isReborn: isReborn)
        } else if facts.floor > stream.recent.last {
            // Trimmed while nobody read: whoever needs it is told so when it is looked for.
            restart(id, behind: facts.generated)
            tellWatchers(of: id)
            for waiter in stream.waiters.sorted() { settle(waiter) }
        } else if stream.reader == nil {
            enlist(id)
        }
    }

    /// What is known of a journal begins behind `last`.
    private mutating func restart(_ id: Int, behind last: EntryID) {
        keptBytes -= streams[id]?.recent.byteCount ?? 0
        streams[id]?.recent = RecentEntries(behind: last)
        let highest = max(streams[id]?.highest ?? .zero, last)
        streams[id]?.highest = highest
        recentReplies.removeAll()
        if let reader = streams[id]?.reader { interrupt(reader) } else { enlist(id) }
    }

    /// Whoever has read entries of a journal that it does not have any more is told; who has read none goes on.
    private mutating func tellStale(_ id: Int, isReborn: Bool) {
        guard let stream = streams[id] else { return }
        for waiter in stream.waiters.sorted() {
            guard let found = waiters[waiter] else { continue }
            let indices = found.places.indices.filter { found.places[$0].stream == id }
            // What is being looked for, or was, was not looked for in what there is now.
            for index in indices { waiters[waiter]?.places[index].seen = .zero }
            guard case .entries = found.wait.purpose else {
                settle(waiter)
                continue
            }
            let end = isReborn ? .zero : stream.recent.last
            if let index = indices.first(where: { found.wait.streams[$0].after > end }) {
                finish(waiter, .stale(first: stream.first, of: found.wait.streams[index].name))
            } else {
                // What was not there before may be there now.
                for index in indices { waiters[waiter]?.places[index].after = found.wait.streams[index].after }
                settle(waiter)
            }
        }
        tellWatchers(of: id)
    }

    /// Watchers are told that they do not get all that there was.
    mutating func tellWatchers(of id: Int) { push(nil, of: id) }

    /// The server does not let the journal be read.
    private mutating func refuse(_ id: Int, _ error: ReplyError) {
        guard let stream = streams[id] else { return }
        if stream.isKnown { tellWatchers(of: id) }
        for waiter in stream.waiters.sorted() where waiters[waiter]?.state != .watching {
            finish(waiter, .error(error))
        }
        if streams[id]?.waiters.isEmpty == true {
            drop(id)
        } else {
            streams[id]?.isKnown = false
            troubles[id] = nil
            discharge(id)
        }
    }

    private mutating func forgetUnused(at now: Duration) {
        for (id, stream) in streams where stream.waiters.isEmpty && stream.looked == nil {
            if let since = stream.unusedSince {
                if now - since > settings.linger { drop(id) }
            } else {
                streams[id]?.unusedSince = now
            }
        }
    }

    private mutating func drop(_ id: Int) {
        discharge(id)
        guard let stream = streams.removeValue(forKey: id) else { return }
        numbers[stream.journal] = nil
        troubles[id] = nil
        keptBytes -= stream.recent.byteCount
    }
}
