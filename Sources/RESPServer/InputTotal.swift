/// What a port keeps of what its clients sent, and who has to go when that is too much; a value without a clock.
///
/// Not the one that made it too much, nor the one of which most is kept: clients that fill the room with commands they do
/// not finish would have everybody go who sends a large one. What is meant to be carried out is so before long: the client
/// goes of which something has been kept for longest. None goes of which no more is kept than half an equal share, such as
/// who is slow with a small transaction: all of those together leave half of the room, and more, to the others.
struct InputTotal: Sendable {
    private struct Kept {
        var bytes: Int
        /// Counts up from one client to the next.
        var since: UInt64
    }

    private let limit: Int
    private(set) var byteCount = 0
    private var clients: [Int64: Kept] = [:]
    private var last: UInt64 = 0

    init(limit: Int) { self.limit = limit }

    /// So many bytes are kept for a client, none where it is gone or has no more than goes uncounted. When it is less than
    /// before it has got on with what it does, and counts as one that has just begun.
    ///
    /// - Returns: Clients to be cut off, of which nothing is counted any more.
    mutating func keeps(_ bytes: Int, for client: Int64) -> [Int64] {
        let before = clients[client]
        guard bytes > 0 else {
            remove(client)
            return []
        }
        byteCount += bytes - (before?.bytes ?? 0)
        last += 1
        let since = before.flatMap { bytes < $0.bytes ? nil : $0.since } ?? last
        clients[client] = Kept(bytes: bytes, since: since)
        var removed: [Int64] = []
        while byteCount > limit, let one = slowest {
            remove(one)
            removed.append(one)
        }
        return removed
    }

    private mutating func remove(_ client: Int64) {
        if let kept = clients.removeValue(forKey: client) { byteCount -= kept.bytes }
    }

    /// There is one while there is too much.
    private var slowest: Int64? {
        let least = limit / (2 * max(clients.count, 1))
        return clients.lazy.filter { $0.value.bytes > least }.min { $0.value.since < $1.value.since }?.key
    }
}
