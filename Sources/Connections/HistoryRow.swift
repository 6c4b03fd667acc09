package import PostgresClient

/// A row of `regionsync.history`: who captures from which server, from this number on.
package struct HistoryRow: Hashable, Sendable {
    package let number: UInt64
    /// By IDENTIFY_SYSTEM.
    package let systemID: String
    package let timeline: UInt32
    package let captureRegion: String

    package init(number: UInt64, systemID: String, timeline: UInt32, captureRegion: String) {
        self.number = number
        self.systemID = systemID
        self.timeline = timeline
        self.captureRegion = captureRegion
    }

    /// Adds the row if `newest` (0: none) is still the newest number; false when another was faster. Takes a replication
    /// connection, too, which knows no parameters.
    package func insert(
        after newest: UInt64, through connection: PostgresConnection
    ) async throws(PostgresError) -> Bool {
        // Two that add different numbers would not meet in the primary key. Each statement has a snapshot of its own.
        let rows = try await connection.query(
            """
            SELECT pg_advisory_xact_lock(hashtext('regionsync.history'));
            INSERT INTO regionsync.history (number, system_identifier, timeline, capture_region)
            SELECT \(number), \(PostgresText.literal(systemID))::bigint, \(timeline), \(PostgresText.literal(captureRegion))
            WHERE (SELECT coalesce(max(number), 0) FROM regionsync.history) = \(newest)
            ON CONFLICT DO NOTHING
            """)
        return rows.affectedRows == 1
    }

    /// All rows, newest first; none where there is no such table.
    package static func all(through connection: PostgresConnection) async throws(PostgresError) -> [HistoryRow] {
        let table = try await connection.query("SELECT to_regclass('regionsync.history') IS NOT NULL AS there")
        guard try table.first?.boolean("there") ?? false else { return [] }
        let rows = try await connection.query(
            """
            SELECT number, system_identifier::text AS system, timeline, capture_region FROM regionsync.history
            ORDER BY number DESC
            """)
        var all: [HistoryRow] = []
        for row in rows {
            all.append(
                HistoryRow(
                    number: try row.integer("number"), systemID: try row.string("system"),
                    timeline: try row.integer("timeline"), captureRegion: try row.string("capture_region")))
        }
        return all
    }
}
