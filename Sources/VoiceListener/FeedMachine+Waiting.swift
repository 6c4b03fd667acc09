internal import Journal
internal import NIOCore
internal import Projection
internal import RESP

/// What becomes of a wait.
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
        case .group:
            if waiter.state == .looking || waiter.looksAgain || hasNews(waiter) { read(id) } else { park(id) }
        case .entries:
            if let place = waiter.places.first(where: isLost) {
                return finish(id, .stale(first: streams[place.stream]?.first, of: place.name))
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

    /// Whether the place is an entry that the journal had, and has no more.
    private func isLost(_ place: Place) -> Bool {
        streams[place.stream]?.lost.contains { $0.contains(place.after) } ?? false
    }

    /// Leaves it until something comes, unless that would not be seen, or its time is up.
    private mutating func park(_ id: Int) {
        guard let waiter = waiters[id] else { return }
        if let failure = lastingFailure(of: waiter) { return finish(id, .error(ReplyError(ofRead: failure))) }
        if waiter.isDue { return finish(id, .nullArray) }
        waiters[id]?.state = .parked
        waiters[id]?.hasWaited = true
    }

    /// Has it looked for in Redis; what Redis is needed for is not to be had while it is away.
    mutating func read(_ id: Int) {
        guard var waiter = waiters[id] else { return }
        if isAway {
            // It stays as it is until Redis is back, and is looked for then.
            if waiter.hasWaited { waiters[id]?.looksAgain = true } else { finish(id, .unavailable) }
            return
        }
        var wait: [FeedWait.Stream] = []
        for index in waiter.places.indices {
            waiter.places[index].seen = last(of: waiter.places[index].stream)
            let stream = waiter.wait.streams[index]
            wait.append(FeedWait.Stream(stream.name, stream.journal, behind: waiter.places[index].after))
        }
        waiter.state = .reading
        waiter.looksAgain = false
        waiters[id] = waiter
        let (purpose, deadline) = (waiter.wait.purpose, waiter.wait.deadline)
        act(.read(waiter: id, waiter.client, FeedWait(streams: wait, purpose: purpose, deadline: deadline)))
    }

    /// Why a journal that it waits for is not read, and has not been for long.
    private func lastingFailure(of waiter: Waiter) -> StoreFailure? {
        guard !troubles.isEmpty else { return nil }
        return waiter.places.lazy.compactMap { troubles[$0.stream] }.first { $0.isLasting }?.failure
    }

    private mutating func watch(_ id: Int, _ number: Int64) {
        guard let waiter = waiters[id] else { return }
        if let failure = lastingFailure(of: waiter) { return finish(id, .error(ReplyError(ofRead: failure))) }
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
    mutating func forget(_ id: Int) -> Client? {
        guard let waiter = waiters.removeValue(forKey: id) else { return nil }
        for place in waiter.places {
            streams[place.stream]?.waiters.remove(id)
            streams[place.stream]?.watchers.remove(id)
        }
        deadlines.remove(id, at: waiter.wait.deadline)
        unanswered.remove(id)
        return waiter.client
    }

    /// What recent entries have for a wait, of all its streams no more than is sent at once: who reads goes on behind the
    /// last of each. Nil where they do not reach back far enough.
    mutating func reply(for waiter: Waiter) -> Reply? {
        guard case .entries(let limit) = waiter.wait.purpose else { return nil }
        for made in recentReplies where made.limit == limit {
            if made.places.elementsEqual(waiter.places, by: { $0.isSame(as: $1) }) { return made.reply }
        }
        var pairs: [Reply.Pair] = []
        var room = PageSize.wantedBytes
        for place in waiter.places {
            guard let recent = streams[place.stream]?.recent else { return nil }
            guard place.after < recent.last else { continue }
            guard recent.reaches(place.after), !mayHaveParted(place) else { return nil }
            var (count, wire) = recent.entries(behind: place.after, limit: limit, bytes: room)
            // One there is for always, so that who reads gets on.
            if count == 0, pairs.isEmpty { (count, wire) = recent.entries(behind: place.after, limit: 1) }
            guard count > 0 else { continue }
            room -= wire.readableBytes
            pairs.append(Reply.Pair(.text(place.name), .elements(wire, count: count)))
        }
        guard !pairs.isEmpty else { return nil }
        if recentReplies.count == Self.recentReplyLimit { recentReplies.removeFirst() }
        recentReplies.append((waiter.places, limit, .pairs(pairs)))
        return .pairs(pairs)
    }

    /// Whether entries of a former life may be gone behind the place: Redis is asked then.
    private func mayHaveParted(_ place: Place) -> Bool {
        streams[place.stream]?.parted.contains { $0.behind < place.after && place.after < $0.through } ?? false
    }

    private static var recentReplyLimit: Int { 8 }
}
