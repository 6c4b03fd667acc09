internal import Journal
internal import Projection
internal import RESP

// MARK: - Who reads

extension FeedMachine {
    struct Reader: Sendable {
        var streams: Set<Int> = []
        /// Those that it reads now, or read last.
        var asked: Set<Int> = []
        var isWaiting = false
        var isInterrupted = false
        /// When it answered last; before that, when its journals were looked at.
        var heard: Duration
        /// When journals were looked at that it reads from there once it asks again.
        var looked: Duration?
    }

    /// Why a journal is not read, though it is there.
    struct Trouble: Sendable {
        let since: Duration
        let failure: StoreFailure
        /// Whether it has been so for so long that who waits is told.
        var isLasting = false
    }
}

// MARK: - What they read

extension FeedMachine {
    /// One of the clients that wait for what the reader reads.
    func client(of reader: Int) -> Client? {
        let waiting = readers[reader]?.streams.lazy.compactMap { streams[$0]?.waiters.first }
        return waiting?.first.flatMap { waiters[$0]?.client }
    }

    /// What the reader is to read next, and whether it waits where there is nothing; nil: it is not needed any more.
    mutating func wanted(by reader: Int) -> (cursors: [JournalCursor], waits: Bool)? {
        guard let found = readers[reader] else { return nil }
        guard !found.streams.isEmpty else {
            readers[reader] = nil
            return nil
        }
        readers[reader]?.asked = found.streams
        readers[reader]?.isWaiting = true
        readers[reader]?.isInterrupted = false
        if let looked = found.looked {
            readers[reader]?.heard = min(found.heard, looked)
            readers[reader]?.looked = nil
        }
        let cursors = found.streams.compactMap { id in
            streams[id].map { JournalCursor($0.journal, behind: $0.recent.last) }
        }
        // Whether reading works again shall be known at once.
        return (cursors, troubles.isEmpty || found.streams.isDisjoint(with: troubles.keys))
    }

    /// A reader has read what was wanted.
    mutating func read(_ found: [FeedRead], by reader: Int, at now: Duration) {
        guard let asked = readers[reader]?.asked, let heard = readers[reader]?.heard else { return }
        readers[reader]?.isWaiting = false
        guard now - heard <= settings.longestRead else { return lookFirst(reader) }
        readers[reader]?.heard = max(heard, now)
        if !troubles.isEmpty { for id in asked { troubles[id] = nil } }
        guard !found.isEmpty else { return }
        recentReplies.removeAll()
        var woken: [Int] = []
        var grown: [Int] = []
        for read in found {
            let chunk = read.chunk
            // No copy of the stream may be held while it changes: its recent entries would be copied.
            guard let id = numbers[read.journal], streams[id]?.reader == reader, chunk.previous == last(of: id),
                chunk.last > chunk.previous
            else { continue }
            let highest = max(streams[id]?.highest ?? .zero, chunk.last)
            streams[id]?.recent.append(chunk)
            streams[id]?.highest = highest
            streams[id]?.hasLast = true
            for index in streams[id]?.lost.indices ?? 0..<0 { streams[id]?.lost[index].came(chunk) }
            keptBytes += chunk.byteCount
            grown.append(id)
            push(chunk, of: id)
            woken += candidates(for: chunk, of: id)
        }
        for id in woken { wake(id) }
        for id in grown { trim(id) }
        // As many journals joined, what those there were before may keep has shrunk.
        if keptBytes > settings.totalBytes { for id in streams.keys.sorted() { trim(id) } }
    }

    /// What a reader has read may not follow what is known: its journals are looked at, and read on from where they were.
    private mutating func lookFirst(_ reader: Int) {
        guard let found = readers.removeValue(forKey: reader) else { return }
        for id in found.streams {
            streams[id]?.reader = nil
            streams[id]?.nextLook = .zero
        }
        act(.look)
    }

    /// A reader could not read: its journals are looked at, and those that there are are read on. Where it is Redis as a
    /// whole that is amiss, the look sees it.
    mutating func readFailed(by reader: Int, _ failure: StoreFailure, at now: Duration) {
        guard let found = readers.removeValue(forKey: reader) else { return }
        for id in found.streams.sorted() {
            streams[id]?.reader = nil
            note(failure, of: id, at: now)
        }
    }

    /// A journal could not be read. Where that lasts, who waits is told, and it is tried as often as it is looked at.
    private mutating func note(_ failure: StoreFailure, of id: Int, at now: Duration) {
        let before = troubles[id]
        var trouble = Trouble(since: before?.since ?? now, failure: failure)
        trouble.isLasting = now - trouble.since >= settings.refusalPatience
        troubles[id] = trouble
        streams[id]?.nextLook = trouble.isLasting ? now + settings.lookInterval : .zero
        guard trouble.isLasting else { return }
        if before?.isLasting != true { tellWatchers(of: id) }
        for waiter in (streams[id]?.waiters ?? []).sorted() where waiters[waiter]?.state == .parked { settle(waiter) }
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

    /// Redis answers again. Journals are read on once they were looked at.
    mutating func returned() {
        for (id, stream) in streams where stream.isKnown && stream.reader == nil { streams[id]?.nextLook = .zero }
        act(.look)
        unanswered.removeAll()
        for id in waiters.keys.sorted() { settle(id) }
    }

    /// Finds a reader for a journal that was looked at.
    mutating func enlist(_ id: Int) {
        let looked = streams[id]?.lookLeft ?? .zero
        var free: Int?
        for (number, found) in readers where found.streams.count < settings.streamsPerReader {
            free = min(free ?? number, number)
        }
        let reader = free ?? number()
        readers[reader, default: Reader(heard: looked)].streams.insert(id)
        begins(at: looked, reader)
        streams[id]?.reader = reader
        if free == nil { act(.start(reader: reader)) } else { interrupt(reader) }
    }

    /// The reader reads a journal from where that was when it was looked at.
    mutating func begins(at looked: Duration, _ reader: Int) {
        guard let found = readers[reader] else { return }
        readers[reader]?.looked = min(found.looked ?? looked, looked)
    }

    mutating func discharge(_ id: Int) {
        guard let reader = streams[id]?.reader else { return }
        readers[reader]?.streams.remove(id)
        streams[id]?.reader = nil
        interrupt(reader)
    }

    mutating func interrupt(_ reader: Int) {
        guard let found = readers[reader], found.isWaiting, !found.isInterrupted else { return }
        readers[reader]?.isInterrupted = true
        act(.interrupt(reader: reader))
    }

    /// Whom a chunk concerns. Of a group's consumers no more are woken than there are entries to be had.
    private func candidates(for chunk: EntryChunk, of stream: Int) -> [Int] {
        // Those who watch are many, and have what came.
        guard let found = streams[stream], found.watchers.count < found.waiters.count else { return [] }
        let ids = found.watchers.isEmpty ? found.waiters : found.waiters.subtracting(found.watchers)
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
    mutating func push(_ chunk: EntryChunk?, of id: Int) {
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
