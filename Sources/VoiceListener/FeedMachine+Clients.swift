internal import Journal
internal import RESP

// MARK: - Who waits

extension FeedMachine {
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
        /// Whether its time was up while its journals were looked at, or it was looked for.
        var isDue = false
        /// Whether its client does not wait any more: its group may give it something yet.
        var isCancelled = false
        /// Whether it is to be looked for when that is possible: its group was destroyed, which may not have been seen.
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
}

// MARK: - What clients do

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
            waiters[id]?.isCancelled = true
        } else {
            finish(id, .nullArray)
        }
    }

    /// The client does not watch any more, which is confirmed behind all that came before; nil: it is gone.
    mutating func unwatched(_ id: Int, by client: Client?) {
        let watched = forget(id) != nil
        if let client { act(.answer(client, watched ? .ok : .noWatch)) }
    }

    /// What was looked for in Redis was there, or gave an error.
    mutating func found(_ reply: Reply, for id: Int) {
        let waiter = waiters[id]
        finish(id, reply)
        if reply.isError, let waiter { wakeOthers(than: waiter) }
    }

    /// What was looked for in Redis was not there.
    mutating func foundNothing(for id: Int) {
        guard var waiter = waiters[id], waiter.state == .reading else { return }
        if waiter.isDue { return finish(id, .nullArray) }
        waiter.state = .parked
        waiter.hasWaited = true
        for index in waiter.places.indices {
            waiter.places[index].after = max(waiter.places[index].after, waiter.places[index].seen)
        }
        waiters[id] = waiter
        settle(id)
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

    /// Redis did not answer when something was looked for; what it refused is an answer. That may be this client's trouble
    /// alone: a look tells.
    mutating func foundNoAnswer(for id: Int) {
        guard let waiter = waiters[id] else { return }
        if case .entries = waiter.wait.purpose, waiter.hasWaited, !waiter.isDue {
            waiters[id]?.state = .parked
            unanswered.insert(id)
        } else {
            finish(id, .unavailable)
            // Nor was it found out whether what a consumer was woken for is still there.
            for other in others(than: waiter) where waiters[other]?.state == .parked { unanswered.insert(other) }
        }
        for place in waiter.places { lookSoon(at: place.stream) }
        act(.look)
    }

    /// Time goes on: who has waited for long enough gets nothing. Where Redis is asked for it, there may be something: it gets
    /// the answer to that.
    mutating func reached(_ now: Duration) {
        for id in deadlines.take(upTo: now) {
            guard let waiter = waiters[id] else { continue }
            switch (waiter.wait.purpose, waiter.state) {
            case (.watch, .watching): break
            case (.watch, _): finish(id, .unavailable)
            case (_, .looking), (_, .reading): waiters[id]?.isDue = true
            case (_, .parked), (_, .watching): finish(id, .nullArray)
            }
        }
    }
}
