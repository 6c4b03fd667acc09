package import Journal
package import Projection

/// An open connection through which the feed follows journals of the local Redis: one read at a time, by one task, which
/// sends the next when the one before was answered.
package protocol VoiceTail: Sendable {
    /// Reads behind the cursors, in one command, which waits where there is nothing if `waits` says so, for
    /// `SentRead.patience`. On the event loop of the connection the command has left when this returns.
    ///
    /// The read fails where it finds something of a journal that was not read the last time, and has been trimmed beyond its
    /// cursor: that does not follow.
    func send(behind cursors: [JournalCursor], waits: Bool) -> SentRead

    /// Ends the read that waits; if none does, the next one does not wait.
    func interrupt() async

    /// Begins to close the connection: a read that is not answered fails, and so does every later one.
    func close()
}

/// A read that is on its way.
package struct SentRead: Sendable {
    /// How long a read waits: so long a server that is half dead may pass for one where nothing happens.
    package static let patience = Duration.seconds(2)

    private let answer: @Sendable () async throws(StoreFailure) -> [JournalRead]

    package init(reads answer: @escaping @Sendable () async throws(StoreFailure) -> [JournalRead]) {
        self.answer = answer
    }

    /// Waits for what was found: only the journals that have something, each with a batch in order; nothing when the read
    /// was interrupted, has waited for long, or the next one will bring less at once.
    package func reads() async throws(StoreFailure) -> [JournalRead] { try await answer() }
}
