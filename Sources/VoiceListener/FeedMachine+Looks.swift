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
        /// Whether its last ID is known to be that of an entry: a copy may begin with the ID that the one before it had.
        var hasLast = false
        /// What it had and has no more; the newest.
        var lost: [LostEntries] = []
        /// What former lives had that is gone, as the journal's meta has it.
        var parted: [PartedEntries] = []
        var reader: Int?
        var waiters: Set<Int> = []
        /// Those of them that watch.
        var watchers: Set<Int> = []
        /// Set while a look is on its way: the last ID known when it left.
        var looked: EntryID?
        /// Whether that was known to be that of an entry.
        var lookedForEntry = false
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

    /// The journals to look at now, and the last ID that is known of each; report `looked`. Forgets those that nobody has
    /// waited for in a while.
    mutating func takeLooks(at now: Duration) -> [JournalCursor] {
        forgetUnused(at: now)
        let interval = settings.lookInterval * Double(max(1, streams.count / 1000))
        var due: [JournalCursor] = []
        for (id, stream) in streams where stream.looked == nil {
            // Also where nobody waits: who asks next is served from memory.
            guard !stream.isKnown || isAway || stream.nextLook <= now else { continue }
            streams[id]?.looked = stream.recent.last
            streams[id]?.lookedForEntry = stream.hasLast
            streams[id]?.lookLeft = now
            streams[id]?.nextLook = now + interval
            due.append(JournalCursor(stream.journal, behind: stream.recent.last))
        }
        return due.sorted { $0.journal < $1.journal }
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
        if wasAway { returned() } else if !unanswered.isEmpty { lookAgain(behind: Set(before.keys)) }
    }

    /// Has looked for in Redis, which answers, what it did not answer before.
    private mutating func lookAgain(behind looked: Set<Int>) {
        for id in unanswered.sorted() {
            guard waiters[id]?.places.contains(where: { looked.contains($0.stream) }) == true else { continue }
            unanswered.remove(id)
            settle(id)
        }
    }

    /// Has a journal looked at as soon as may be.
    mutating func lookSoon(at id: Int) {
        guard let stream = streams[id] else { return }
        streams[id]?.nextLook = min(stream.nextLook, stream.lookLeft + settings.lookPause)
    }

    private mutating func looked(at id: Int, _ facts: StreamFacts, sinceLast last: EntryID) {
        guard let stream = streams[id] else { return }
        streams[id]?.first = facts.first
        streams[id]?.birth = facts.birth ?? stream.birth
        if facts.parted != stream.parted {
            streams[id]?.parted = facts.parted
            recentReplies.removeAll()
        }
        guard stream.isKnown else {
            streams[id]?.isKnown = true
            restart(id, behind: facts.generated)
            // Nobody watches it yet, unless it could not be read for a while.
            tellWatchers(of: id)
            for waiter in stream.waiters.sorted() { settle(waiter) }
            return
        }
        if facts.hasLast, stream.recent.last == last { streams[id]?.hasLast = true }
        let isReborn = stream.birth != nil && facts.birth != nil && facts.birth != stream.birth
        if isReborn || facts.generated < last {
            restart(id, behind: facts.generated)
            if isReborn { streams[id]?.lost = [] }
            note(LostEntries(behind: facts.generated, through: stream.highest), of: id)
            tellStale(id, of: LostEntries(behind: isReborn ? .zero : facts.generated))
        } else if let survivor = facts.survivor, stream.lookedForEntry {
            // It lost its end, and went on in another way.
            let lost = LostEntries(behind: max(survivor, facts.floor), through: last)
            restart(id, behind: facts.generated)
            note(lost, of: id)
            tellStale(id, of: lost)
        } else if facts.floor > stream.recent.last, facts.generated > stream.recent.last {
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
        streams[id]?.hasLast = false
        recentReplies.removeAll()
        guard let reader = streams[id]?.reader else { return enlist(id) }
        begins(at: streams[id]?.lookLeft ?? .zero, reader)
        interrupt(reader)
    }

    /// Keeps in mind what a journal lost, for who comes later and has some of it.
    private mutating func note(_ lost: LostEntries, of id: Int) {
        guard !lost.isEmpty else { return }
        streams[id]?.lost.append(lost)
        if let count = streams[id]?.lost.count, count > Self.lostLimit { streams[id]?.lost.removeFirst() }
    }

    private static var lostLimit: Int { 16 }

    /// Whoever has read entries of a journal that it does not have any more is told; who has read none goes on.
    private mutating func tellStale(_ id: Int, of lost: LostEntries) {
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
            if let index = indices.first(where: { lost.contains(found.wait.streams[$0].after) }) {
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
