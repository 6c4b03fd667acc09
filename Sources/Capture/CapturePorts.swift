package import Journal
package import PGOutput

/// Why something outside did not do what capture asked of it.
package enum CaptureFailure: Error, Hashable, Sendable {
    /// Only an operator can mend it.
    case stop(CaptureStop)
    /// It may do so later; why, in words for people.
    case unavailable(String)
}

/// PostgreSQL, as capture needs it.
package protocol CaptureSource: Sendable {
    /// What is found there, `journal` left as it is given.
    func look(journal: JournalState) async throws(CaptureFailure) -> CaptureFound
    /// Adds history `number`, for this region and this server, unless `newest` (0: none) is not the newest one any more.
    func beginHistory(_ number: UInt64, after newest: UInt64) async throws(CaptureFailure)
    /// Makes the publication of the catalog's tables, without the columns left out.
    func createPublication() async throws(CaptureFailure)
    /// Makes the slot, an old one dropped first where `dropsSlot`, and reads the tables of the catalog as they stand
    /// where the slot begins: `all` of them, or only what differs from the region's cache.
    func snapshot(dropsSlot: Bool, all: Bool, sink: SnapshotSink) async throws
    /// Streams from the slot. `lsn` must have been compared with what was found.
    func stream(from lsn: LSN) async throws(CaptureFailure) -> any ReplicationStream
    /// What may change while it streams; nil when it cannot be told now.
    func survey() async -> CaptureSurvey?
    /// How much WAL the slot holds back; nil when it cannot be told now, or another region captures.
    func slotHealth() async -> SlotHealth?
}

/// An open replication stream.
package protocol ReplicationStream: Sendable {
    /// The messages that are there, after waiting for the first; may be none after a long while.
    func receive() async throws(CaptureFailure) -> ReplicationChunk
    /// Tells how far we are; may be called while `receive` waits.
    func report(received: LSN, confirmed: LSN) async throws(CaptureFailure)
    func close() async
}

/// Messages of a replication stream that arrived together.
package struct ReplicationChunk: Sendable {
    package let bytes: [UInt8]
    /// Where each message, a `ReplicationFrame`, stands in `bytes`.
    package let messages: [Range<Int>]
    /// Nothing more was at hand.
    package let isDrained: Bool

    package init(bytes: [UInt8], messages: [Range<Int>], isDrained: Bool) {
        self.bytes = bytes
        self.messages = messages
        self.isDrained = isDrained
    }
}

/// What takes a snapshot. Each call waits as long as the journal cannot take more, and may come from several readers at
/// once, but for the first.
package struct SnapshotSink: Sendable {
    /// Comes first: the slot's LSN and the server's time.
    package let began: @Sendable (LSN, PostgresTimestamp) async throws -> Void
    /// Rows that PostgreSQL has.
    package let copied: @Sendable (SnapshotRows) async throws -> Void
    /// Objects that the cache has and PostgreSQL has not.
    package let gone: @Sendable ([ProvisioningEntry.ObjectName]) async throws -> Void

    package init(
        began: @escaping @Sendable (LSN, PostgresTimestamp) async throws -> Void,
        copied: @escaping @Sendable (SnapshotRows) async throws -> Void,
        gone: @escaping @Sendable ([ProvisioningEntry.ObjectName]) async throws -> Void
    ) {
        self.began = began
        self.copied = copied
        self.gone = gone
    }
}

/// The region's own cache, with which a diff compares PostgreSQL.
package protocol CaptureCache: Sendable {
    /// How far all tenants are projected; zero for an empty cache.
    func projected() async throws(CaptureFailure) -> Position
}

/// Rows of one table, as COPY … TO STDOUT prints them.
package struct SnapshotRows: Sendable {
    /// The table's place in the catalog.
    package let table: Int
    package let columns: [String]
    package let bytes: [UInt8]
    /// Where each row, its newline included, stands in `bytes`.
    package let rows: [Range<Int>]

    package init(table: Int, columns: [String], bytes: [UInt8], rows: [Range<Int>]) {
        self.table = table
        self.columns = columns
        self.bytes = bytes
        self.rows = rows
    }
}

/// What the slot costs PostgreSQL.
package struct SlotHealth: Hashable, Sendable {
    /// WAL that is kept for the slot, bytes.
    package let retainedBytes: UInt64
    /// WAL that may still be written before the slot is lost, bytes; nil for no limit.
    package let safeBytes: Int64?

    package init(retainedBytes: UInt64, safeBytes: Int64?) {
        self.retainedBytes = retainedBytes
        self.safeBytes = safeBytes
    }
}

/// The journal that capture writes, in this region's own Redis.
package protocol CaptureJournal: Sendable {
    /// Connects where needed and asks where the journal ends; an empty one is born. One that somebody else has written to is
    /// refused as forked.
    func open() async throws(Refusal) -> JournalState
    /// Lets the journal end behind what somebody else wrote to it: that is in the copies already, or will be. In the middle of
    /// a transaction of ours it takes the places of our entries, so everything is to be compared then. Nil where nobody did.
    func acceptForeign() async throws(Refusal) -> ForeignEntries?
    /// Appends entries, or moves the position alone, and calls `completion` once. Returns at once; calls are carried out
    /// in order.
    func append(
        _ batch: CaptureBatch, birth: String, completion: @escaping @Sendable (Result<Void, Refusal>) -> Void)
    /// Notes what the stream showed when the tables were compared as a whole.
    func note(shown: String, birth: String) async throws(Refusal)
    /// The newest history of which anything is known in this region's Redis, whoever captures in it; the one above it
    /// where that one's region has declared this one down, so that none begun here by itself counts as its equal. Nil when
    /// it cannot be told now.
    func newestHistory() async -> UInt64?
    /// How long a write takes to be safe from a crash of Redis: 2 s under `appendfsync everysec`, 0 under `always`.
    func settlingTime() async throws(Refusal) -> Duration
}

extension CaptureJournal {
    /// What `open` answers or throws.
    func opened() async -> Result<JournalState, Refusal> {
        do throws(Refusal) { return .success(try await open()) } catch { return .failure(error) }
    }
}
