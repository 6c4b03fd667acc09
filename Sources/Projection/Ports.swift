package import Journal
package import NIOCore
package import RESP

/// Where the projection's journals are read, in the local Redis.
package protocol JournalTail: Sendable {
    /// Reads behind the cursors, in one command. Answers only the journals that have something, each with a batch in
    /// order; nothing when `patience` passed without any. With a `patience` of zero it does not wait.
    func read(behind cursors: [JournalCursor], patience: Duration) async throws(StoreFailure) -> [JournalRead]
}

/// Where a journal is read next.
package struct JournalCursor: Hashable, Sendable {
    package let journal: JournalName
    /// The last entry that is not wanted any more.
    package let last: EntryID

    package init(_ journal: JournalName, behind last: EntryID) {
        self.journal = journal
        self.last = last
    }
}

/// What was read of a journal.
package struct JournalRead: Sendable {
    package let journal: JournalName
    package let batch: EntryBatch

    package init(_ journal: JournalName, _ batch: EntryBatch) {
        self.journal = journal
        self.batch = batch
    }
}

/// Where state is kept: the local Redis.
package protocol ProjectionStore: Sendable {
    /// Sends the commands together, in order on one connection, and answers in the same order. A command that fails
    /// does not keep those behind it from being carried out.
    func run(_ commands: [RedisCommand]) async -> [Result<StoreReply, StoreFailure>]
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
}
