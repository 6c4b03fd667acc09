package import Journal
package import NIOCore
package import RESP

/// Where the projection's journals are read, in the local Redis.
package protocol JournalTail: Sendable {
    /// Reads behind the cursors, in one command. Answers only the journals that have something, each with a batch in
    /// order; nothing when `patience` passed without any. With a `patience` of zero it does not wait.
    func read(behind cursors: [JournalCursor], patience: Duration) async throws(StoreFailure) -> [JournalRead]

    /// Nothing more will be read.
    func close() async
}

/// Where state is kept: the local Redis.
package protocol ProjectionStore: Sendable {
    /// Sends the commands together, behind all that were sent before on the same connection, and returns when they are
    /// on their way. A command that fails does not keep those behind it from being carried out.
    func send(_ commands: [RedisCommand]) async -> SentCommands
}

extension ProjectionStore {
    /// Sends the commands and waits for their answers, one each.
    package func run(_ commands: [RedisCommand]) async -> [Result<StoreReply, StoreFailure>] {
        commands.isEmpty ? [] : await send(commands).replies()
    }

    /// The same for commands that must all succeed: the first failure is thrown.
    package func answers(_ commands: [RedisCommand]) async throws(StoreFailure) -> [StoreReply] {
        var answers: [StoreReply] = []
        answers.reserveCapacity(commands.count)
        for result in await run(commands) { answers.append(try result.get()) }
        return answers
    }
}

/// Commands on their way.
package struct SentCommands: Sendable {
    /// Waits for the answers: one a command, in order.
    package let replies: @Sendable () async -> [Result<StoreReply, StoreFailure>]

    package init(replies: @escaping @Sendable () async -> [Result<StoreReply, StoreFailure>]) {
        self.replies = replies
    }
}

/// A server's answer to a command.
package enum StoreReply: Hashable, Sendable {
    case null
    case integer(Int64)
    /// A bulk string or a status.
    case string(ByteBuffer)
    case array([StoreReply])

    /// The text of a string, or nil.
    package var text: String? {
        if case .string(let bytes) = self { String(buffer: bytes) } else { nil }
    }

    /// The elements of an array; none of anything else.
    package var elements: [StoreReply] {
        if case .array(let elements) = self { elements } else { [] }
    }
}

/// Why a command had no answer.
package enum StoreFailure: Error, Hashable, Sendable {
    /// The server's error reply: its first word, and what stands behind it.
    case server(code: String, message: String)
    /// The link is gone, timed out or not there yet; whether the command was carried out is unknown.
    case unreachable(String)
    /// There was no link: the command was not sent.
    case unsent(String)
}

extension StoreFailure {
    /// The server lost its functions: they are wiped by a full resync and by FUNCTION FLUSH.
    package var isFunctionMissing: Bool {
        if case .server(_, let message) = self { message.hasPrefix("Function not found") } else { false }
    }

    /// A key holds something of another kind.
    package var isWrongType: Bool {
        if case .server("WRONGTYPE", _) = self { true } else { false }
    }

    /// The account may not do what was asked.
    package var isWithoutRight: Bool {
        if case .server("NOPERM", _) = self { true } else { false }
    }

    /// The cursor is not where this worker left it: another one projects, or the server went back.
    var isCursorMoved: Bool {
        if case .server("CURSOR", _) = self { true } else { false }
    }

    /// The journal's region was declared down meanwhile: the next session knows where its journal ends.
    var isCut: Bool {
        if case .server("CUT", _) = self { true } else { false }
    }
}

extension StoreFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .server(let code, let message): "\(code) \(message)"
        case .unreachable(let reason), .unsent(let reason): reason
        }
    }
}
