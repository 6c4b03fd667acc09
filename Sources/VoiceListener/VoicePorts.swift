package import Journal
package import Projection

/// A connection through which the feed follows journals of the local Redis.
package protocol VoiceTail: Sendable {
    /// Reads behind the cursors, in one command that waits where it shall. Answers only the journals that have something,
    /// each with a batch in order; nothing when it was interrupted, has waited for long, or will read less at once the
    /// next time.
    func read(behind cursors: [JournalCursor], waits: Bool) async throws(StoreFailure) -> [JournalRead]

    /// Ends the read that waits; if none does, the next one does not wait.
    func interrupt() async

    /// Nothing more will be read.
    func close() async
}
