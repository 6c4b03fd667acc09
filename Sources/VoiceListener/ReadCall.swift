internal import Journal
internal import RESP

/// A call of `XREAD` or `XREADGROUP`, taken apart as Redis 7 does, with its words for what is wrong.
struct ReadCall: Sendable {
    struct Group: Hashable, Sendable {
        let name: String
        /// Where group and consumer stand in the request.
        let place: Int
    }

    struct Stream: Hashable, Sendable {
        /// What the client calls it, and where it stands in the request.
        let name: String
        let place: Int
        let start: Start
    }

    /// What is wanted of a stream.
    enum Start: Hashable, Sendable {
        case behind(EntryID)
        /// `$`: what comes from now on.
        case new
        /// `>`: what no consumer of the group was given.
        case undelivered
        /// Anything else; Redis knows what is wrong with it.
        case other
    }

    /// Entries of each stream, at most; nil: not said.
    private(set) var count: Int?
    /// How long to wait: nil for not at all, `.zero` for ever.
    private(set) var block: Duration?
    private(set) var group: Group?
    private(set) var acknowledges = true
    private(set) var streams: [Stream] = []

    /// Streams that one call may name, and one that waits.
    static let streamLimit = 1024
    static let waitingStreamLimit = 256
    /// Entries of a stream that are read at once: a reader goes on behind them.
    static let entryLimit = 10_000
    /// Entries of all streams that are read at once.
    static let totalLimit = 100_000
    /// Entries that a consumer is given at once: nobody else is given those that it cannot be sent.
    static let groupLimit = 1000
    /// Longer than this is for ever.
    private static let longest: Int64 = 100 * 365 * 86_400_000

    /// How many entries of a stream are read.
    var limit: Int {
        let total = group == nil ? Self.totalLimit : Self.groupLimit
        return min(count ?? Self.entryLimit, Self.entryLimit, max(total / max(streams.count, 1), 1))
    }

    init(_ request: Request, isGroup: Bool) throws(ReplyError) {
        let name = isGroup ? "XREADGROUP" : "XREAD"
        var index = 1
        while index < request.count, streams.isEmpty {
            let more = request.count - index - 1
            if request.isKeyword(index, "BLOCK"), more > 0 {
                block = try Self.block(request, index + 1)
                index += 2
            } else if request.isKeyword(index, "COUNT"), more > 0 {
                guard let number = request.integer(index + 1) else { throw .notAnInteger }
                // None or less is no limit, as in Redis.
                count = number > 0 ? Int(clamping: number) : nil
                index += 2
            } else if request.isKeyword(index, "STREAMS"), more > 0 {
                guard more % 2 == 0 else {
                    throw ReplyError(
                        "Unbalanced \(name) list of streams: for each stream key an ID or '\(isGroup ? ">" : "$")' must be "
                            + "specified.")
                }
                try read(streams: index + 1..<index + 1 + more / 2, of: request)
            } else if request.isKeyword(index, "GROUP"), more >= 2 {
                guard isGroup else { throw Self.misplaced("GROUP") }
                group = Group(name: request.text(index + 1) ?? "", place: index + 1)
                index += 3
            } else if request.isKeyword(index, "NOACK") {
                guard isGroup else { throw Self.misplaced("NOACK") }
                acknowledges = false
                index += 1
            } else {
                throw .syntax
            }
        }
        guard !streams.isEmpty else { throw .syntax }
        if block != nil { try checkWait() }
        if isGroup, group == nil { throw ReplyError("Missing GROUP option for XREADGROUP") }
        if !isGroup { try checkStarts(of: request) }
    }

    private mutating func read(streams range: Range<Int>, of request: Request) throws(ReplyError) {
        guard range.count <= Self.streamLimit else {
            throw ReplyError(code: "LIMIT", message: "more than \(Self.streamLimit) streams")
        }
        for place in range {
            guard let name = request.validText(place) else { throw .noStream }
            streams.append(Stream(name: name, place: place, start: Self.start(request, place + range.count)))
        }
    }

    /// What a client waits for is kept for as long as it waits.
    private func checkWait() throws(ReplyError) {
        guard streams.count <= Self.waitingStreamLimit else {
            throw ReplyError(code: "LIMIT", message: "more than \(Self.waitingStreamLimit) streams with BLOCK")
        }
        guard Set(streams.map(\.name)).count == streams.count else {
            throw ReplyError("the same stream twice with BLOCK")
        }
    }

    private func checkStarts(of request: Request) throws(ReplyError) {
        for stream in streams {
            switch stream.start {
            case .behind, .new: break
            case .undelivered:
                throw ReplyError(
                    "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
            case .other: throw .invalidID
            }
        }
    }

    private static func start(_ request: Request, _ index: Int) -> Start {
        guard let text = request.validText(index) else { return .other }
        switch text {
        case "$": return .new
        case ">": return .undelivered
        default: return EntryID(read: text).map { .behind($0) } ?? .other
        }
    }

    private static func block(_ request: Request, _ index: Int) throws(ReplyError) -> Duration {
        guard let time = request.integer(index) else { throw ReplyError("timeout is not an integer or out of range") }
        guard time >= 0 else { throw ReplyError("timeout is negative") }
        return time > longest ? .zero : .milliseconds(time)
    }

    private static func misplaced(_ option: String) -> ReplyError {
        ReplyError("The \(option) option is only supported by XREADGROUP. You called XREAD instead.")
    }
}

extension EntryID {
    /// Reads an ID as clients give it to readers: `5` is `5-0`; nil for what is none.
    init?(read text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: "-")) {
            self.init(text)
        } else {
            self.init("\(text)-0")
        }
    }
}
