internal import Capture
internal import Journal
internal import PGOutput

/// What is asked of PostgreSQL.
enum PostgresRequest {
    case look(JournalState)
    case beginHistory(UInt64, after: UInt64)
    case createPublication
    /// Makes the slot, an old one dropped first, and reads the table as it is there.
    case snapshot
    /// START_REPLICATION.
    case stream(from: LSN)
    /// The next messages of the stream; waits for the first.
    case receive
    case report(confirmed: LSN)
}

/// What PostgreSQL answers.
enum PostgresAnswer {
    case found(CaptureFound)
    case done
    case snapshot(SimulatedPostgres.Snapshot)
    /// Messages of a stream; `walEnd` is the log's end where nothing more is at hand, else nil.
    case messages([[UInt8]], walEnd: LSN?)
    case failed(String)
}

extension SimulatedPostgres {
    /// The table where a slot begins.
    struct Snapshot: Sendable {
        let consistentPoint: LSN
        let rows: [Person: Row]
    }
}
