internal import Journal
internal import NIOCore
internal import RESP

/// Who waits for what of which journals, and what is known of those: facts in, actions out (journal.md, "Mirror rules" 9).
///
/// A journal that anybody waits for is followed from then on, and for a while after. It begins with a look at it, which
/// tells its last ID; from there on a reader reads. Looks are repeated, since a journal may be born again.
struct FeedMachine<Client: Sendable>: Sendable {
    struct Settings: Hashable, Sendable {
        /// Streams that one connection reads.
        var streamsPerReader = 32
        /// Bytes of recent entries kept of one journal, and of all.
        var streamBytes = 512 << 10
        var totalBytes = 64 << 20
        /// How long a journal is followed that nobody waits for.
        var linger = Duration.seconds(60)
        /// How often journals are looked at; with more than a thousand less often.
        var lookInterval = Duration.seconds(1)
    }

    enum Action: Sendable {
        /// Send the client what it waited for.
        case answer(Client, Reply)
        /// Look in Redis for what the client waits for, without waiting there; report `found` or `foundNothing`.
        case read(waiter: Int, Client, FeedWait)
        /// Send clients with such a watch what came; nil: what came is not all that there was, or what there was is no more.
        case push([Client], watch: Int64, region: String, EntryChunk?)
        /// Have a new reader read, each time what `cursors` says.
        case start(reader: Int)
        /// Have the reader ask for its cursors again.
        case interrupt(reader: Int)
        /// There are journals to look at.
        case look
    }

    /// A client's wait, or its watch.
    struct Waiter: Sendable {
        enum State: Hashable, Sendable {
            /// Until its journals have been looked at. → parked, reading, watching
            case looking
            /// Until something comes. → reading
            case parked
            /// It is looked for in Redis. → parked
            case reading
            /// A watch that works.
            case watching
        }

        let client: Client
        let wait: FeedWait
        var places: [Place]
        var state = State.looking
        /// Whether it was parked before, so that it stays while Redis is away.
        var hasWaited = false
        /// Whether its time was up while it was looked for.
        var isDue = false
        /// Whether its group was destroyed while it was looked for: that may not have been seen.
        var looksAgain = false
    }

    /// A journal of a wait.
    struct Place: Hashable, Sendable {
        let stream: Int
        let name: String
        var after: EntryID
        /// The journal's last ID when it was looked for in Redis.
        var seen = EntryID.zero

        /// Whether the same is wanted, under the same name.
        func isSame(as other: Place) -> Bool {
            stream == other.stream && after == other.after && name == other.name
        }
    }

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
        var nextLook = Duration.zero
        var unusedSince: Duration?
    }

    struct Reader: Sendable {
        var streams: Set<Int> = []
        var isWaiting = false
        var isInterrupted = false
    }

    let settings: Settings
    var streams: [Int: Stream] = [:]
    var numbers: [JournalName: Int] = [:]
    var waiters: [Int: Waiter] = [:]
    var readers: [Int: Reader] = [:]
    var deadlines = Deadlines()
    /// What the recent entries of all journals take of memory.
    var keptBytes = 0
    /// Whether Redis did not answer when it was asked last.
    var isAway = false
    /// Replies that were made since something was read last, for who asks the same.
    var recentReplies: [(places: [Place], limit: Int, reply: Reply)] = []
    private(set) var actions: [Action] = []
    private var lastNumber = 0

    init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// What is to be done, in order.
    mutating func takeActions() -> [Action] {
        guard !actions.isEmpty else { return [] }
        defer { actions.removeAll() }
        return actions
    }

    mutating func act(_ action: Action) { actions.append(action) }

    /// A number that no stream, waiter or reader had.
    mutating func number() -> Int {
        lastNumber += 1
        return lastNumber
    }
}

// MARK: - Clients

extension FeedMachine {
    /// A client waits for something.
    ///
    /// - Returns: The number of its wait, or of the watch that comes of it.
    mutating func asked(_ wait: FeedWait, by client: Client) -> Int {
        let id = number()
        let places = wait.streams.map { Place(stream: follow($0.journal), name: $0.name, after: $0.after) }
        waiters[id] = Waiter(client: client, wait: wait, places: places)
        for place in places {
            streams[place.stream]?.waiters.insert(id)
            streams[place.stream]?.unusedSince = nil
        }
        if let deadline = wait.deadline { deadlines.add(id, at: deadline) }
        settle(id)
        return id
    }

    /// The client does not wait any more, or for as long as it likes.
    mutating func cancelled(_ id: Int) {
        guard let waiter = waiters[id] else { return }
        if waiter.state == .reading, case .group = waiter.wait.purpose {
            // What the group gave it must not get lost.
            waiters[id]?.isDue = true
        } else {
            finish(id, .nullArray)
        }
    }

    /// The client does not watch any more.
    ///
    /// - Returns: Whether it did.
    mutating func unwatched(_ id: Int) -> Bool {
        guard waiters[id] != nil else { return false }
        forget(id)
        return true
    }

    /// What was looked for in Redis was there, or gave an error.
    mutating func found(_ reply: Reply, for id: Int) {
        finish(id, reply)
    }

    /// What was looked for in Redis was not there.
    mutating func foundNothing(for id: Int) {
        guard var waiter = waiters[id], waiter.state == .reading else { return }
        if waiter.isDue { return finish(id, .nullArray) }
        waiter.state = .parked
        waiter.hasWaited = true
        let looksAgain = waiter.looksAgain
        waiter.looksAgain = false
        for index in waiter.places.indices {
            waiter.places[index].after = max(waiter.places[index].after, waiter.places[index].seen)
        }
        waiters[id] = waiter
        if looksAgain { read(id) } else { settle(id) }
    }

    /// The group is no more: its consumers look what becomes of them.
    mutating func destroyed(_ group: String, of journal: JournalName) {
        guard let stream = numbers[journal].flatMap({ streams[$0] }) else { return }
        for id in stream.waiters.sorted() {
            guard let waiter = waiters[id], case .group(group) = waiter.wait.purpose else { continue }
            switch waiter.state {
            case .parked: read(id)
            case .reading: waiters[id]?.looksAgain = true
            case .looking, .watching: break
            }
        }
    }

    /// Redis did not answer when something was looked for.
    mutating func foundNoAnswer(for id: Int) {
        guard let waiter = waiters[id] else { return lost() }
        if case .entries = waiter.wait.purpose, waiter.hasWaited, !waiter.isDue {
            waiters[id]?.state = .parked
        } else {
            finish(id, .unavailable)
        }
        lost()
    }

    /// Time goes on: who has waited for long enough gets nothing.
    mutating func reached(_ now: Duration) {
        for id in deadlines.take(upTo: now) {
            guard let waiter = waiters[id] else { continue }
            if waiter.state == .reading {
                waiters[id]?.isDue = true
            } else if case .watch = waiter.wait.purpose {
                if waiter.state != .watching { finish(id, .unavailable) }
            } else {
                finish(id, .nullArray)
            }
        }
    }
}

// MARK: - Waiting

extension FeedMachine {
    /// Answers a wait, looks in Redis for it, or leaves it until something comes.
    mutating func settle(_ id: Int) {
        guard let waiter = waiters[id], waiter.state == .looking || waiter.state == .parked else { return }
        guard waiter.places.allSatisfy({ streams[$0.stream]?.isKnown == true }) else {
            if isAway { finish(id, .unavailable) }
            return
        }
        switch waiter.wait.purpose {
        case .watch(let number): watch(id, number)
        case .group: if waiter.state == .looking || hasNews(waiter) { read(id) } else { park(id) }
        case .entries:
            if let place = waiter.places.first(where: isBeyondEnd) {
                return finish(id, .stale(first: streams[place.stream]?.first))
            }
            let isBehind = waiter.places.contains { $0.after < last(of: $0.stream) }
            guard isBehind else { return park(id) }
            if let reply = reply(for: waiter) { finish(id, reply) } else { read(id) }
        }
    }

    /// The last ID of a journal that is known.
    func last(of stream: Int) -> EntryID { streams[stream]?.recent.last ?? .zero }

    /// Whether something came since it was looked for in Redis.
    private func hasNews(_ waiter: Waiter) -> Bool {
        waiter.places.contains { $0.seen < last(of: $0.stream) }
    }

    /// Whether the journal ended behind the place before, and does not any more.
    private func isBeyondEnd(_ place: Place) -> Bool {
        guard let stream = streams[place.stream] else { return false }
        return place.after > stream.recent.last && place.after <= stream.highest
    }

    private mutating func park(_ id: Int) {
        waiters[id]?.state = .parked
        waiters[id]?.hasWaited = true
    }

    /// Has it looked for in Redis; what Redis is needed for is not to be had while it is away.
    mutating func read(_ id: Int) {
        guard var waiter = waiters[id] else { return }
        if isAway {
            // It stays as it is until Redis is back.
            if !waiter.hasWaited { finish(id, .unavailable) }
            return
        }
        var wait: [FeedWait.Stream] = []
        for index in waiter.places.indices {
            waiter.places[index].seen = last(of: waiter.places[index].stream)
            let stream = waiter.wait.streams[index]
            wait.append(FeedWait.Stream(stream.name, stream.journal, behind: waiter.places[index].after))
        }
        waiter.state = .reading
        waiters[id] = waiter
        let (purpose, deadline) = (waiter.wait.purpose, waiter.wait.deadline)
        act(.read(waiter: id, waiter.client, FeedWait(streams: wait, purpose: purpose, deadline: deadline)))
    }

    private mutating func watch(_ id: Int, _ number: Int64) {
        guard let waiter = waiters[id] else { return }
        let positions = waiter.places.map { place in
            Reply.Pair(.text(place.name), .text("\(last(of: place.stream))"))
        }
        waiters[id]?.state = .watching
        for place in waiter.places { streams[place.stream]?.watchers.insert(id) }
        deadlines.remove(id, at: waiter.wait.deadline)
        act(.answer(waiter.client, .map(["watch": .integer(number), "positions": .map(positions)])))
    }

    /// Sends what was waited for.
    mutating func finish(_ id: Int, _ reply: Reply) {
        guard let client = forget(id) else { return }
        act(.answer(client, reply))
    }

    @discardableResult
    private mutating func forget(_ id: Int) -> Client? {
        guard let waiter = waiters.removeValue(forKey: id) else { return nil }
        for place in waiter.places {
            streams[place.stream]?.waiters.remove(id)
            streams[place.stream]?.watchers.remove(id)
        }
        deadlines.remove(id, at: waiter.wait.deadline)
        return waiter.client
    }

    /// What recent entries have for a wait: nil where they do not reach back far enough.
    mutating func reply(for waiter: Waiter) -> Reply? {
        guard case .entries(let limit) = waiter.wait.purpose else { return nil }
        for made in recentReplies where made.limit == limit {
            if made.places.elementsEqual(waiter.places, by: { $0.isSame(as: $1) }) { return made.reply }
        }
        var pairs: [Reply.Pair] = []
        for place in waiter.places {
            guard let recent = streams[place.stream]?.recent else { return nil }
            guard place.after < recent.last else { continue }
            guard recent.reaches(place.after) else { return nil }
            let (count, wire) = recent.entries(behind: place.after, limit: limit)
            if count > 0 { pairs.append(Reply.Pair(.text(place.name), .elements(wire, count: count))) }
        }
        guard !pairs.isEmpty else { return nil }
        if recentReplies.count == Self.recentReplyLimit { recentReplies.removeFirst() }
        recentReplies.append((waiter.places, limit, .pairs(pairs)))
        return .pairs(pairs)
    }

    private static var recentReplyLimit: Int { 8 }
}
