package import Capture
internal import Connections
package import PGOutput
package import PostgresClient
internal import Projection
package import Reconciliation
package import RegionConfig

/// PostgreSQL as capture needs it: one replication connection that looks and streams, one for questions beside it, and
/// as many readers as a snapshot takes.
package actor PostgresCaptureSource: CaptureSource {
    let region: String
    let catalog: Catalog
    let publication: String
    let slot: String
    let readerCount: Int
    /// What a diff compares PostgreSQL with.
    private let cache: CachedObjects?
    /// The servers of which one is the primary.
    private let servers: [PostgresOptions]
    /// Place of the one that was found last.
    private var place = 0
    private var foundAt = ContinuousClock.now
    private var replication: PostgresConnection?
    private var questions: PostgresConnection?
    /// Where the slot stood when it was last looked at.
    private var seenConfirmed = LSN.zero

    /// How often another server is looked for while this one is not ours to capture from.
    private static let searchInterval = Duration.seconds(5)

    /// Capture of `catalog` for `region`. `options` are those of an ordinary connection; `others` lead to servers that
    /// may be the primary instead; `cache` is the region's own.
    package init(
        region: String, catalog: Catalog, publication: String, slot: String, readerCount: Int,
        options: PostgresOptions, others: [PostgresOptions] = [], cache: CachedObjects? = nil
    ) {
        self.cache = cache
        self.region = region
        self.catalog = catalog
        self.publication = publication
        self.slot = slot
        self.readerCount = max(1, readerCount)
        servers = ([options] + others).map { options in
            var options = options
            // A reader may wait for Redis, and an exported snapshot for its readers.
            for setting in ["statement_timeout", "idle_in_transaction_session_timeout"] {
                options.settings[setting] = "0"
            }
            return options
        }
    }

    private var options: PostgresOptions { servers[place] }

    /// Ends all connections.
    package func close() async {
        await replication?.close()
        await questions?.close()
        replication = nil
        questions = nil
    }

    package func look(journal: JournalState) async throws(CaptureFailure) -> CaptureFound {
        let found = try await attempt { connection throws(PostgresError) in
            try await CaptureLook(
                region: region, catalog: catalog, publication: publication, slot: slot, connection: connection
            ).found(journal: journal)
        }
        seenConfirmed = found.slot?.confirmed ?? .zero
        if !found.isForThisRegion, servers.count > 1, foundAt + Self.searchInterval < .now {
            // Another server may have become the primary meanwhile; this one keeps answering.
            await replication?.close()
        }
        return found
    }

    package func beginHistory(_ number: UInt64, after newest: UInt64) async throws(CaptureFailure) {
        try await attempt { connection throws(PostgresError) in
            let system = try await connection.identifySystem()
            let row = HistoryRow(
                number: number, systemID: system.systemID, timeline: system.timeline, captureRegion: region)
            _ = try await row.insert(after: newest, through: connection)
        }
    }

    package func createPublication() async throws(CaptureFailure) {
        try await attempt { connection throws(PostgresError) in
            let look = CaptureLook(
                region: region, catalog: catalog, publication: publication, slot: slot, connection: connection)
            let tables = try await look.publishedTables()
            do throws(PostgresError) {
                try await connection.query(
                    "CREATE PUBLICATION \(PostgresText.identifier(publication)) FOR TABLE \(tables) "
                        + "WITH (publish_via_partition_root = true)")
            } catch  where error.sqlState == "42710" {
                // Somebody else was faster.
            }
        }
    }

    package func stream(from lsn: LSN) async throws(CaptureFailure) -> any ReplicationStream {
        do throws(PostgresError) {
            let connection = try await replicating()
            try await connection.startReplication(slot: slot, from: lsn, publications: [publication])
            return PostgresReplicationStream(connection: connection, publication: publication)
        } catch  where error.sqlState == "55006" {
            throw .unavailable("slot \(slot) is in use")
        } catch {
            throw CaptureFailure(error)
        }
    }

    package func survey() async -> CaptureSurvey? {
        do throws(PostgresError) {
            return try await CaptureLook(
                region: region, catalog: catalog, publication: publication, slot: slot, connection: try await asking()
            ).survey()
        } catch {
            return nil
        }
    }

    package func slotHealth() async -> SlotHealth? {
        do throws(PostgresError) {
            let connection = try await asking()
            let rows = try await connection.query(
                """
                SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint AS retained,
                    safe_wal_size AS safe
                FROM pg_replication_slots WHERE slot_name = $1
                    AND $2 = (SELECT capture_region FROM regionsync.history ORDER BY number DESC LIMIT 1)
                """, [slot, region], timeout: .seconds(5))
            guard let row = rows.first else { return nil }
            let retained: Int64 = try row.integer("retained")
            return SlotHealth(
                retainedBytes: UInt64(max(0, retained)), safeBytes: try row.optionalString("safe").flatMap { Int64($0) }
            )
        } catch {
            return nil
        }
    }

    package func snapshot(dropsSlot: Bool, all: Bool, sink: SnapshotSink) async throws {
        if dropsSlot {
            // A worker that was paused since it looked must not drop the slot that another one has made since.
            let isDropped = try await attempt { connection throws(PostgresError) in
                try await connection.dropSlot(slot, confirmed: seenConfirmed)
            }
            guard isDropped else { throw CaptureFailure.unavailable("slot \(slot) is not the one that was seen") }
        }
        let created = try await created()
        guard let snapshot = created.snapshot else { throw CaptureFailure.unavailable("no snapshot was exported") }
        let copy = CaptureCopy(
            region: region, catalog: catalog, publication: publication, slot: slot, readerCount: readerCount,
            options: options)
        do {
            try await copy.run(
                snapshot: snapshot, at: created.consistentPoint, comparesWith: all ? nil : cache, sink: sink)
        } catch let error as PostgresError {
            throw CaptureFailure(error)
        } catch let error as StoreFailure {
            throw CaptureFailure.unavailable("the cache: \(error)")
        } catch PublishedTable.Failure.notPublished(let table, let publication) {
            throw CaptureFailure.stop(.publicationIncomplete(publication, tables: [table]))
        } catch PublishedTable.Failure.unreadableRow(let table) {
            throw CaptureFailure.stop(.undecodable(lsn: created.consistentPoint, what: "a row of COPY \(table)"))
        }
    }

    /// Makes the slot. The connection is then parked: the snapshot dies with the next command on it.
    private func created() async throws(CaptureFailure) -> PostgresConnection.CreatedSlot {
        do {
            return try await attempt { connection throws(PostgresError) in
                try await connection.createSlot(slot, timeout: .seconds(30))
            }
        } catch .unavailable(let reason) {
            throw .unavailable(await blockers().map { "the slot waits for \($0)" } ?? reason)
        }
    }

    /// The transactions that keep a slot from being made, oldest first; nil when there are none or nobody may know.
    private func blockers() async -> String? {
        do throws(PostgresError) {
            let rows = try await asking().query(
                """
                SELECT pid, usename, now() - xact_start AS age FROM pg_stat_activity
                WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 5
                """, timeout: .seconds(5))
            guard !rows.isEmpty else { return nil }
            return rows.map { "transaction of \($0[1] ?? "?"), process \($0[0] ?? "?"), since \($0[2] ?? "?")" }
                .joined(separator: "; ")
        } catch {
            return nil
        }
    }

    // MARK: Connections

    /// Does something on the replication connection, made anew where it is gone.
    private func attempt<Result: Sendable>(
        _ body: (PostgresConnection) async throws(PostgresError) -> Result
    ) async throws(CaptureFailure) -> Result {
        do throws(PostgresError) {
            return try await body(try await replicating())
        } catch {
            throw CaptureFailure(error)
        }
    }

    private func replicating() async throws(PostgresError) -> PostgresConnection {
        if let replication, await replication.isOpen { return replication }
        await replication?.close()
        let found = try await PrimarySearch.connect(
            servers.map { options in
                var options = options
                options.isReplication = true
                options.applicationName = "regionsync capture"
                // A paused worker gives the slot up within two seconds, so that another one can take it.
                options.settings["wal_sender_timeout"] = "2000"
                return options
            })
        if place != found.place {
            await questions?.close()
            place = found.place
        }
        foundAt = .now
        replication = found.connection
        return found.connection
    }

    private func asking() async throws(PostgresError) -> PostgresConnection {
        if let questions, await questions.isOpen { return questions }
        var options = options
        options.applicationName = "regionsync capture questions"
        let new = try await PostgresConnection.connect(options)
        questions = new
        return new
    }
}

/// The replication connection while it streams.
struct PostgresReplicationStream: ReplicationStream {
    let connection: PostgresConnection
    let publication: String

    func receive() async throws(CaptureFailure) -> ReplicationChunk {
        do throws(PostgresError) {
            let maxBytes = 256 << 10
            let batch = try await connection.receive(maxBytes: maxBytes, timeout: .seconds(60))
            return ReplicationChunk(
                bytes: batch.bytes, messages: batch.messages, isDrained: batch.bytes.count < maxBytes)
        } catch  where error.sqlState == "42704" {
            throw .stop(.publicationMissing(publication))
        } catch {
            throw CaptureFailure(error)
        }
    }

    func report(received: LSN, confirmed: LSN) async throws(CaptureFailure) {
        do throws(PostgresError) {
            try await connection.sendStatus(written: received, flushed: confirmed, applied: confirmed)
        } catch {
            throw CaptureFailure(error)
        }
    }

    func close() async { await connection.close() }
}

extension CaptureFailure {
    /// Sorts what PostgreSQL says, once (errcodes-appendix): classes that mend themselves are tried again.
    init(_ error: PostgresError) {
        guard case .server(let state, let message, _, _) = error else {
            self = .unavailable(error.description)
            return
        }
        switch state.prefix(2) {
        case "08", "25", "40", "53", "55", "57", "58": self = .unavailable(error.description)
        case "42" where state == "42501": self = .stop(.permission(message))
        default: self = .stop(.postgres("\(state) \(message)"))
        }
    }
}
