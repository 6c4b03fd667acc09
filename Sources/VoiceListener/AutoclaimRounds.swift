internal import NIOCore
internal import Projection

/// What an `XAUTOCLAIM` is done in: each round goes on where the one before ended, until there is enough, or no more.
struct AutoclaimRounds: Sendable {
    /// Where the stream's end has been reached.
    private static let end = "0-0"

    /// Entries that are wanted and have not been found.
    private var wanted: Int
    /// Where the next round begins; nil before the first.
    private(set) var cursor: String?
    private var entries: [StoreReply] = []
    private var gone: [StoreReply] = []
    private var byteCount = 0
    private var isOver = false

    init(count: Int) { wanted = count }

    /// Entries of the next round, at most; nil: that is all.
    var next: Int? { isOver ? nil : count }

    private var count: Int { min(wanted, PageSize.round(behind: byteCount)) }

    /// Takes where to go on, entries, and IDs of entries that are gone; false for what is no such answer.
    mutating func took(_ answer: [StoreReply]) -> Bool {
        guard answer.count >= 2, let next = answer[0].text else { return false }
        let asked = count
        let (some, lost) = (answer[1].elements, answer.dropFirst(2).first?.elements ?? [])
        cursor = next
        entries += some
        gone += lost
        byteCount += some.reduce(0) { $0 + $1.byteCount }
        wanted -= some.count + lost.count
        // Redis looks at so many for each that is wanted, and then has who asks go on.
        let isShort = some.count + lost.count < asked
        isOver = wanted <= 0 || isShort || next == Self.end || byteCount >= PageSize.wantedBytes
        return true
    }

    /// What all rounds gave together.
    var reply: StoreReply {
        .array([.string(ByteBuffer(string: cursor ?? Self.end)), .array(entries), .array(gone)])
    }
}
