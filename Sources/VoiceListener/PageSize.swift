internal import NIOCore
internal import Projection

/// How many entries are read at once, so that a reply stays within what may wait for a client, and one client's does not keep
/// the others' waiting. What comes next may be larger than all that was seen: nothing but their number bounds entries.
enum PageSize {
    /// Bytes that the entries of one reply should have at most.
    static let wantedBytes = 16 << 20

    /// Entries of one command whose answer is not to be given up for its size: the largest that clients write, of 1 MiB, are
    /// still one that may wait for a client.
    static let roundLimit = 30

    /// What the rounds of an answer bring together at most, which may wait for a client with what the wire adds.
    private static let roundsBytes = 31 << 20
    /// The largest entry that clients write, with what is told of it.
    private static let entryBytes = 1 << 20 + 1 << 10

    /// Entries of the next round where those before brought so many bytes, few enough for the largest that there are.
    static func round(behind bytes: Int) -> Int {
        min(max((roundsBytes - bytes) / entryBytes, 1), roundLimit)
    }

    /// Entries, of all streams together, that are read at once where what is too much can be given up and read again: they
    /// too are an answer that Redis may give, with what the wire adds.
    static let pageLimit = 60

    /// Journals that are looked at together: Redis shows three entries of each, which it does not leave out.
    static func looks<Element>(of journals: [Element]) -> [[Element]] {
        let size = pageLimit / 3
        return stride(from: 0, to: journals.count, by: size).map { start in
            Array(journals[start..<min(start + size, journals.count)])
        }
    }

    /// How many to read next where `count` entries of `bytes` were found: as many as there is room for if they go on like
    /// that, and one more.
    static func next(behind count: Int, bytes: Int) -> Int {
        guard count > 0 else { return pageLimit }
        return min(max(wantedBytes - bytes, 0) / max(bytes / count, 1) + 1, pageLimit)
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
