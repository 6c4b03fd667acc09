internal import NIOCore

/// What waits for all those clients of a port that take less than they are sent, and who has to go when that is too much; a
/// value without a clock.
struct OutputTotal: Sendable {
    private struct Waiting {
        var bytes: Int
        var lastTaken: NIODeadline
    }

    /// How long a client may take nothing and still pass for one that reads.
    static let patience = TimeAmount.seconds(2)

    private let limit: Int
    private(set) var byteCount = 0
    private var clients: [Int64: Waiting] = [:]

    init(limit: Int) { self.limit = limit }

    /// So many bytes wait for a client, which took some the last time at `lastTaken`.
    ///
    /// - Returns: Clients to be cut off, of which nothing is counted any more: of those that do not read the ones that took
    ///   nothing for longest. Where all read, or may yet, it is the one that made it too much.
    mutating func waits(_ bytes: Int, for client: Int64, lastTaken: NIODeadline, at now: NIODeadline) -> [Int64] {
        byteCount += bytes - (clients[client]?.bytes ?? 0)
        clients[client] = Waiting(bytes: bytes, lastTaken: lastTaken)
        var removed: [Int64] = []
        while byteCount > limit {
            let one = stillest(at: now) ?? client
            ended(one)
            removed.append(one)
            if one == client { break }
        }
        return removed
    }

    /// The client takes what it is sent again, or is gone.
    mutating func ended(_ client: Int64) {
        if let waiting = clients.removeValue(forKey: client) { byteCount -= waiting.bytes }
    }

    /// Of those that take nothing who took something the longest ago; of several, who has most waiting.
    private func stillest(at now: NIODeadline) -> Int64? {
        clients.lazy.filter { now - $0.value.lastTaken >= Self.patience }
            .min { ($0.value.lastTaken, -$0.value.bytes, $0.key) < ($1.value.lastTaken, -$1.value.bytes, $1.key) }?
            .key
    }
}
