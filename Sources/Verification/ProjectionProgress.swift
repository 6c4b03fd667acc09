internal import Journal
internal import PostgresClient
internal import Projection
internal import RedisClient
internal import RESP

/// How far the regions' projections have come with what PostgreSQL committed.
struct ProjectionProgress: Sendable {
    /// Newest number in `regionsync.history` and who captures under it; nil where that table is empty or missing.
    let history: (number: UInt64, captureRegion: String)?
    let regions: [RegionServer]

    /// Reads the history.
    static func read(
        _ connection: PostgresConnection, regions: [RegionServer]
    ) async throws(PostgresError) -> ProjectionProgress {
        let exists = try await connection.query("SELECT to_regclass('regionsync.history') IS NOT NULL AS there")
        guard try exists[0].boolean("there") else { return ProjectionProgress(history: nil, regions: regions) }
        let rows = try await connection.query(
            "SELECT number, capture_region FROM regionsync.history ORDER BY number DESC LIMIT 1")
        guard let row = rows.first else { return ProjectionProgress(history: nil, regions: regions) }
        return ProjectionProgress(
            history: (try row.integer("number"), try row.string("capture_region")), regions: regions)
    }

    /// The end of the WAL: every transaction that a query before this one saw lies below it.
    static func endOfWAL(_ connection: PostgresConnection) async throws -> UInt64 {
        let rows = try await connection.query(
            """
            SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_insert_lsn() END - '0/0'::pg_lsn)::text AS lsn
            """)
        return try rows[0].integer("lsn")
    }

    /// Whether everything committed below `lsn` is in the region's cache; false also while that cannot be known.
    func hasPassed(_ lsn: UInt64, _ region: RegionServer) async throws -> Bool {
        guard let history, let target = Position(history: history.number, lsn: lsn),
            let capturing = regions.first(where: { $0.name == history.captureRegion })
        else { return false }
        let meta = try await capturing.ask(
            "HMGET", JournalName.provisioning(origin: capturing.name).metaKey, "position", "last")
        guard let position = meta[0]?.string.flatMap({ Position($0) }), position >= target else { return false }
        guard let last = meta[1]?.entryID, last > .zero else { return true }
        return try await cursor(of: region) >= Position(number: last.first)
    }

    /// Waits until each region has projected what its peers' journals hold now, or until `deadline`; false: it was in
    /// vain.
    func settle(until deadline: ContinuousClock.Instant) async throws -> Bool {
        var target = Position.zero
        for region in regions {
            let meta = try await region.ask(
                "HGET", JournalName.provisioning(origin: region.name).metaKey, "last")
            if let last = meta.entryID { target = max(target, Position(number: last.first)) }
        }
        for region in regions {
            while try await cursor(of: region) < target {
                guard ContinuousClock.now < deadline else { return false }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        return true
    }

    private func cursor(of region: RegionServer) async throws -> Position {
        try await region.ask("HGET", ProjectionKeys.trailing, "provisioning").string.flatMap { Position($0) } ?? .zero
    }
}
