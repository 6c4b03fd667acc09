internal import ConfigListener
internal import PostgresClient

/// How many `ONCE` keys PostgreSQL is told to forget at a time, when, and whether it does. A value, one for each connection.
struct OncePruning {
    /// Keys to forget at most. It only shrinks: what took too long once would again.
    private(set) var bite = OnceKey.pruneLimit
    /// Questions that are asked before the next bite.
    private(set) var pause = 0
    /// SQLSTATE of the last refusal, where nothing was forgotten since.
    private var refusal: String?

    /// A question was asked.
    mutating func asked() { pause = max(0, pause - 1) }

    /// So many keys were forgotten. Whether it had been refused before.
    mutating func forgot(_ count: Int) -> Bool {
        defer { refusal = nil }
        // A full bite: there is more, and more comes in all the time.
        pause = count < bite ? PostgresProvisioning.pruneEvery : 1
        return refusal != nil
    }

    /// The server would not. Whether that is news.
    mutating func refused(sqlState: String) -> Bool {
        defer { refusal = sqlState }
        pause = PostgresProvisioning.pruneEvery
        // It took longer than `statement_timeout`.
        if sqlState == "57014", bite > 1 {
            bite /= 2
            pause = 1
        }
        return refusal != sqlState
    }
}
