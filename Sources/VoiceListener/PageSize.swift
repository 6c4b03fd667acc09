internal import NIOCore
internal import Projection

/// How many entries of each stream are read at once, so that a reply stays within what may wait for a client, and one
/// client's does not keep the others' waiting.
enum PageSize {
    /// Bytes that the entries of one reply should have at most.
    static let wantedBytes = 16 << 20

    /// Entries of one command whose answer is not to be given up for its size: the largest that clients write, of 1 MiB, are
    /// still one that Redis may give.
    static let roundLimit = 32

    /// Entries of each stream while nothing is known of their size.
    static func caution(streams: Int) -> Int { max(1, min(64, 1024 / max(streams, 1))) }

    /// How many to read instead of those `found`, which are `count` of each stream at most, where there may be more; by
    /// the streams' largest entries, on average. Nil: those found will do.
    static func next(behind found: [StoreReply], of count: Int, limit: Int) -> Int? {
        let streams = found.compactMap { $0.elements.last?.elements }
        guard limit > count, streams.contains(where: { $0.count >= count }) else { return nil }
        let bytes = streams.map { entries in entries.reduce(0) { $0 + $1.byteCount } / max(entries.count, 1) }.max()
        let next = min(limit, wantedBytes / max(bytes ?? 1, 1) / max(streams.count, 1))
        return next > count ? next : nil
    }
}

extension StoreReply {
    /// What it takes of a reply, about.
    var byteCount: Int {
        switch self {
        case .null, .integer: 8
        case .string(let bytes): bytes.readableBytes + 8
        case .array(let elements): elements.reduce(8) { $0 + $1.byteCount }
        }
    }
}
