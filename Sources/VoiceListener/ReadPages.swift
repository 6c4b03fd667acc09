internal import Journal
internal import Projection

/// What `XREAD` reads in Redis: pages of few entries of all streams, until there is enough, or no more. Streams take turns, and
/// what is found of each stands behind the client's place without a gap.
struct ReadPages: Sendable {
    /// What a page reads of one stream: entries behind `after`, `count` at most.
    struct Part: Hashable, Sendable {
        /// The stream's place in the call, where it may stand more than once.
        let stream: Int
        let journal: JournalName
        let after: EntryID
        let count: Int
    }

    /// What there was for a part, and what the journal was behind that.
    struct Answer: Hashable, Sendable {
        let entries: [StoreReply]
        /// Its mark; nil where it has none yet.
        let birth: String?
        /// The highest ID that was trimmed.
        let floor: EntryID
    }

    private struct Progress: Sendable {
        let wanted: FeedWait.Stream
        /// All up to here was found.
        var last: EntryID
        var birth: String?
        var entries: [StoreReply] = []

        init(_ wanted: FeedWait.Stream) {
            self.wanted = wanted
            last = wanted.after
        }
    }

    /// No entry has a higher ID.
    private static let highest = EntryID(first: .max, second: .max)

    /// Entries of each stream, at most.
    private let limit: Int
    private var streams: [Progress]
    /// What was found of all streams.
    private var count = 0
    private var byteCount = 0
    /// Whether more was found than is sent at once.
    private var isFull = false
    /// Streams that are read before any is read again.
    private var rest: ArraySlice<Int>
    /// Those that may have more.
    private var more: [Int] = []

    init(of streams: [FeedWait.Stream], limit: Int) {
        self.limit = limit
        self.streams = streams.map { Progress($0) }
        rest = streams.indices.filter { streams[$0].after < Self.highest }[...]
    }

    /// What is read next; nothing: that is all.
    var next: [Part] {
        guard !isFull, byteCount < PageSize.wantedBytes else { return [] }
        let some = rest.prefix(PageSize.pageLimit)
        let share = max(PageSize.next(behind: count, bytes: byteCount) / max(some.count, 1), 1)
        return some.map { index in
            let stream = streams[index]
            return Part(
                stream: index, journal: stream.wanted.journal, after: stream.last,
                count: min(share, limit - stream.entries.count))
        }
    }

    /// Streams of which something was found, as the client calls them, in its order.
    var found: [(name: String, entries: [StoreReply])] {
        streams.filter { !$0.entries.isEmpty }.map { ($0.wanted.name, $0.entries) }
    }

    /// Takes a page: an answer to each part.
    ///
    /// - Returns: A stream of which entries are gone that the client wants, or has; nil: there is none.
    mutating func take(_ answers: [Answer], of parts: [Part]) -> FeedWait.Stream? {
        rest = rest.dropFirst(parts.count)
        for (part, answer) in zip(parts, answers) {
            let wanted = streams[part.stream].wanted
            if let birth = streams[part.stream].birth, let new = answer.birth, new != birth {
                // What was found is of a life that is over.
                guard wanted.after == .zero else { return wanted }
                restart(part.stream)
            } else if part.after > .zero, part.after < answer.floor {
                // Of what is behind the entries that were found before, the client hears when it reads on.
                if streams[part.stream].entries.isEmpty { return wanted }
            } else {
                streams[part.stream].birth = answer.birth ?? streams[part.stream].birth
                let isWhole = append(answer.entries.prefix(part.count), to: part.stream)
                let mayHaveMore = answer.entries.count >= part.count && streams[part.stream].entries.count < limit
                if isWhole, mayHaveMore { more.append(part.stream) }
            }
        }
        if rest.isEmpty {
            rest = more[...]
            more = []
        }
        return nil
    }

    /// Takes entries of a stream for as long as there is room; one there is for always.
    ///
    /// - Returns: Whether all were taken.
    private mutating func append(_ entries: ArraySlice<StoreReply>, to stream: Int) -> Bool {
        for entry in entries {
            let bytes = entry.byteCount
            guard count == 0 || byteCount + bytes <= PageSize.wantedBytes else {
                isFull = true
                return false
            }
            // Whatever answers, it must get on.
            guard let id = entry.elements.first?.text.flatMap({ EntryID($0) }), id > streams[stream].last else {
                return false
            }
            streams[stream].last = id
            streams[stream].entries.append(entry)
            count += 1
            byteCount += bytes
        }
        return true
    }

    /// Reads a stream from its beginning again.
    private mutating func restart(_ stream: Int) {
        let before = streams[stream]
        count -= before.entries.count
        byteCount -= before.entries.reduce(0) { $0 + $1.byteCount }
        streams[stream] = Progress(before.wanted)
        more.append(stream)
    }
}
