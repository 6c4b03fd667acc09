internal import NIOCore
internal import RESP
internal import RESPServer

/// Answers a transaction that only reads, as clients' libraries send what belongs together: command by command, bounded in
/// time and bytes.
struct ReadTransaction {
    /// Bytes of all replies on the wire.
    static let replyBytes = 16 << 20

    private let invocation: TransactionInvocation
    /// When what has not begun is refused: each command may wait, for who may be gone.
    private let deadline: ContinuousClock.Instant
    /// The replies so far, as the client's version has them: a list of ids takes ten times as much before it is encoded.
    private var replies = ByteBuffer()
    private var isFull = false

    init(_ invocation: TransactionInvocation, within time: Duration) {
        self.invocation = invocation
        deadline = .now + time
    }

    /// Answers one reply a command. Ends early where nobody waits for it.
    mutating func perform() async -> Reply {
        for command in invocation.commands {
            if isFull {
                add(.error(Self.tooLarge))
            } else if ContinuousClock.now >= deadline || Task.isCancelled {
                add(.error(Self.tooLong))
            } else {
                add(await command.answer(in: invocation))
            }
        }
        return .elements(replies, count: invocation.commands.count)
    }

    private mutating func add(_ reply: Reply) {
        let end = replies.writerIndex
        let encoder = ReplyEncoder(version: invocation.version)
        encoder.encode(reply, into: &replies)
        guard !isFull, replies.readableBytes > Self.replyBytes else { return }
        isFull = true
        replies.moveWriterIndex(to: end)
        encoder.encode(.error(Self.tooLarge), into: &replies)
    }

    private static let tooLong = ReplyError(
        code: "TIMEOUT", message: "the reads before this one in the transaction took too long")
    private static let tooLarge = ReplyError(
        code: "LIMIT",
        message: "the replies of the transaction have more than \(replyBytes >> 20) MiB; read less at once")
}
