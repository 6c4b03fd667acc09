internal import Journal
internal import RESP

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
        guard !looks.contains(where: { $0.look == .unreachable }) else { return lost() }
        let wasAway = isAway
        isAway = false
        for (journal, look) in looks {
            guard let id = numbers[journal], let last = before[id] else { continue }
            switch look {
            case .facts(let facts): looked(at: id, facts, sinceLast: last)
            case .refused(let code, let message): refuse(id, code, message)
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
            if indices.contains(where: { found.wait.streams[$0].after > end }) {
                finish(waiter, .stale(first: stream.first))
            } else {
                // What was not there before may be there now.
                for index in indices { waiters[waiter]?.places[index].after = found.wait.streams[index].after }
                settle(waiter)
            }
        }
        tellWatchers(of: id)
    }

    /// Watchers are told that they do not get all that there was.
    private mutating func tellWatchers(of id: Int) { push(nil, of: id) }

    /// The server does not let the journal be read.
    private mutating func refuse(_ id: Int, _ code: String, _ message: String) {
        guard let stream = streams[id] else { return }
        if stream.isKnown { tellWatchers(of: id) }
        for waiter in stream.waiters.sorted() where waiters[waiter]?.state != .watching {
            let name = waiters[waiter]?.places.first { $0.stream == id }?.name ?? ""
            finish(waiter, .error(code, "\(message): \(name)"))
        }
        if streams[id]?.waiters.isEmpty == true {
            drop(id)
        } else {
            streams[id]?.isKnown = false
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
        keptBytes -= stream.recent.byteCount
    }
}

// MARK: - Readers

extension FeedMachine {
    /// What the reader is to read next; nil: it is not needed any more.
    mutating func cursors(of reader: Int) -> [JournalCursor]? {
        guard let found = readers[reader] else { return nil }
        guard !found.streams.isEmpty else {
            readers[reader] = nil
            return nil
        }
        readers[reader]?.isWaiting = true
        readers[reader]?.isInterrupted = false
        return found.streams.compactMap { id in
            streams[id].map { JournalCursor($0.journal, behind: $0.recent.last) }
        }
    }

    /// A reader has read what `cursors` said.
    mutating func read(_ reads: [JournalRead], by reader: Int) {
        guard readers[reader] != nil else { return }
        readers[reader]?.isWaiting = false
        guard !reads.isEmpty else { return }
        recentReplies.removeAll()
        var woken: [Int] = []
        var grown: [Int] = []
        for read in reads {
            // No copy of the stream may be held while it changes: its recent entries would be copied.
            guard let id = numbers[read.journal], streams[id]?.reader == reader, read.batch.previous == last(of: id),
                read.batch.last > read.batch.previous
            else { continue }
            guard let chunk = try? EntryChunk(read.batch) else { return lost() }
            let highest = max(streams[id]?.highest ?? .zero, chunk.last)
            streams[id]?.recent.append(chunk)
            streams[id]?.highest = highest
            keptBytes += chunk.byteCount
            grown.append(id)
            push(chunk, of: id)
            woken += candidates(among: streams[id]?.waiters ?? [], for: chunk, of: id)
        }
        for id in woken { wake(id) }
        for id in grown { trim(id) }
        // As many journals joined, what those there were before may keep has shrunk.
        if keptBytes > settings.totalBytes { for id in streams.keys.sorted() { trim(id) } }
    }

    /// A reader could not read.
    mutating func readFailed(by reader: Int) {
        if readers[reader] != nil { lost() }
    }

    /// Redis refused what a reader wanted, as it does where one of its journals is none: they are looked at, and all that can
    /// be read are read on.
    mutating func readRefused(by reader: Int) {
        guard let found = readers.removeValue(forKey: reader) else { return }
        for id in found.streams.sorted() {
            streams[id]?.reader = nil
            streams[id]?.nextLook = .zero
        }
    }

    /// Redis does not answer. Who waits for what was known goes on waiting; who has to know more first is told.
    mutating func lost() {
        isAway = true
        for id in readers.keys.sorted() { interrupt(id) }
        readers.removeAll()
        for id in streams.keys { streams[id]?.reader = nil }
        let unknown = streams.values.filter { !$0.isKnown }.flatMap(\.waiters)
        for id in Set(unknown).sorted() where waiters[id]?.state == .looking { finish(id, .unavailable) }
    }

    /// Redis answers again.
    private mutating func returned() {
        for (id, stream) in streams where stream.isKnown && stream.reader == nil { enlist(id) }
        for id in waiters.keys.sorted() { settle(id) }
    }

    /// Finds a reader for a journal.
    private mutating func enlist(_ id: Int) {
        let free = readers.first { $0.value.streams.count < settings.streamsPerReader }?.key
        let reader = free ?? number()
        readers[reader, default: Reader()].streams.insert(id)
        streams[id]?.reader = reader
        if free == nil { act(.start(reader: reader)) } else { interrupt(reader) }
    }

    private mutating func discharge(_ id: Int) {
        guard let reader = streams[id]?.reader else { return }
        readers[reader]?.streams.remove(id)
        streams[id]?.reader = nil
        interrupt(reader)
    }

    private mutating func interrupt(_ reader: Int) {
        guard let found = readers[reader], found.isWaiting, !found.isInterrupted else { return }
        readers[reader]?.isInterrupted = true
        act(.interrupt(reader: reader))
    }

    /// Whom a chunk concerns. Of a group's consumers no more are woken than there are entries to be had.
    private func candidates(among ids: Set<Int>, for chunk: EntryChunk, of stream: Int) -> [Int] {
        var consumers: [String: Int] = [:]
        return ids.sorted().filter { id in
            guard let waiter = waiters[id], waiter.state == .parked else { return false }
            switch waiter.wait.purpose {
            case .watch: return false
            case .entries: return waiter.places.contains { $0.stream == stream && $0.after < chunk.last }
            case .group(let group):
                consumers[group, default: 0] += 1
                return consumers[group, default: 0] <= chunk.count
            }
        }
    }

    private mutating func wake(_ id: Int) {
        guard let waiter = waiters[id], waiter.state == .parked else { return }
        if case .entries = waiter.wait.purpose, let reply = reply(for: waiter) {
            finish(id, reply)
        } else {
            read(id)
        }
    }

    /// Sends a chunk to who watches the journal; nil: that there was something else.
    private mutating func push(_ chunk: EntryChunk?, of id: Int) {
        guard let stream = streams[id], !stream.watchers.isEmpty else { return }
        var clients: [Int64: [Client]] = [:]
        for watcher in stream.watchers.sorted() {
            guard let found = waiters[watcher], case .watch(let number) = found.wait.purpose else { continue }
            clients[number, default: []].append(found.client)
        }
        for number in clients.keys.sorted() {
            act(.push(clients[number] ?? [], watch: number, region: stream.journal.origin, chunk))
        }
    }

    /// Keeps the recent entries of a journal within its share.
    private mutating func trim(_ id: Int) {
        guard let before = streams[id]?.recent.byteCount else { return }
        let share = min(settings.streamBytes, settings.totalBytes / max(streams.count, 1))
        streams[id]?.recent.trim(to: share)
        keptBytes -= before - (streams[id]?.recent.byteCount ?? 0)
    }
}
