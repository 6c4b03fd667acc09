internal import Projection

/// What an `XREADGROUP` is read in: rounds of few entries each, until there is enough, or no more. What a round gives is the
/// consumer's from then on, so all of it is sent; what is too much is left where it is.
struct GroupRounds: Sendable {
    struct Round: Hashable, Sendable {
        /// The streams that are read, by their places in the call.
        let streams: [Int]
        /// Entries of each, at most.
        let count: Int
    }

    /// Entries of each stream, at most.
    private let limit: Int
    /// What was found of each stream; nil: nothing was said of it.
    private(set) var found: [[StoreReply]?]
    private var byteCount = 0
    /// Streams that are read before any is read again.
    private var rest: ArraySlice<Int>
    /// Those that may have more.
    private var full: [Int] = []

    init(streams: Int, limit: Int) {
        self.limit = limit
        found = Array(repeating: nil, count: streams)
        rest = Array(0..<streams)[...]
    }

    /// Whether no stream has given anything.
    var isEmpty: Bool { found.allSatisfy { $0?.isEmpty ?? true } }

    /// What is read next; nil: that is all.
    var next: Round? {
        guard byteCount < PageSize.wantedBytes, !rest.isEmpty else { return nil }
        let most = PageSize.round(behind: byteCount)
        let streams = Array(rest.prefix(most))
        let wanted = streams.map { limit - (found[$0]?.count ?? 0) }.min() ?? limit
        return Round(streams: streams, count: max(1, min(wanted, most / streams.count)))
    }

    /// Takes what a round gave: streams that it named, and entries.
    mutating func took(_ answers: [(stream: Int, entries: [StoreReply])], of round: Round) {
        rest = rest.dropFirst(round.streams.count)
        for (stream, entries) in answers {
            let all = (found[stream] ?? []) + entries
            found[stream] = all
            byteCount += entries.reduce(0) { $0 + $1.byteCount }
            if entries.count >= round.count, all.count < limit { full.append(stream) }
        }
        guard rest.isEmpty else { return }
        rest = full[...]
        full = []
    }
}
