internal import Capture
internal import Journal
internal import PGOutput
internal import PostgresClient
internal import RegionConfig

/// Asks PostgreSQL all that `CaptureStart` wants to know. Replication connections take no parameters: names stand in the
/// SQL as literals.
struct CaptureLook {
    let region: String
    let catalog: Catalog
    let publication: String
    let slot: String
    let connection: PostgresConnection

    func found(journal: JournalState) async throws(PostgresError) -> CaptureFound {
        let server = try await one(
            """
            SELECT pg_is_in_recovery() AS recovering, current_setting('wal_level') AS wal_level,
                to_regclass('regionsync.history') IS NOT NULL AS has_history
            """)
        // Behind that: a server that is promoted in between must not show the timeline of before.
        let system = try await connection.identifySystem()
        let hasHistory = try server.boolean("has_history")
        var found = CaptureFound(
            region: region, publicationName: publication, slotName: slot,
            isInRecovery: try server.boolean("recovering"), walLevel: try server.string("wal_level"),
            systemID: system.systemID, timeline: system.timeline, database: system.database ?? "",
            flushed: system.flushLSN, hasHistoryTable: hasHistory, history: hasHistory ? try await history() : nil,
            journal: journal)
        // Who is not to capture here asks several times a second, and nothing but that.
        guard found.isForThisRegion else { return found }
        let published = try await publishedColumns()
        found.tables = try await tables(published)
        found.publication = try await self.found(published)
        found.slot = try await foundSlot()
        // Behind all that: what changes in between is found to have changed.
        found.shown = try await shown()
        return found
    }

    /// What may change while it streams.
    func survey() async throws(PostgresError) -> CaptureSurvey {
        CaptureSurvey(history: try await history()?.number ?? 0, shown: try await shown())
    }

    /// A digest over all that decides what the stream shows (`CaptureSurvey.shown`). A row's xmin tells that it was written
    /// since, to whatever end.
    private func shown() async throws(PostgresError) -> String {
        let name = PostgresText.literal(publication)
        let row = try await one(
            """
            WITH wanted AS (
                SELECT c.oid, c.relreplident FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE (n.nspname, c.relname) IN (\(tableNames))
            ), parts AS (
                SELECT oid, relreplident FROM wanted UNION
                SELECT c.oid, c.relreplident FROM wanted w, pg_partition_tree(w.oid) t, pg_class c WHERE c.oid = t.relid
            )
            SELECT md5(string_agg(line, E'\\n' ORDER BY line COLLATE "C")) AS shown FROM (
                SELECT format('publication %s %s', oid, xmin) AS line FROM pg_publication WHERE pubname = \(name)
                UNION ALL
                SELECT format('table %s %s', r.prrelid, r.xmin) FROM pg_publication_rel r
                    JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = \(name)
                UNION ALL
                SELECT format('shown %s %s %s', schemaname, tablename, to_jsonb(s)) FROM pg_publication_tables s
                    WHERE pubname = \(name) AND (schemaname, tablename) IN (\(tableNames))
                UNION ALL
                SELECT format('identity %s %s %s', t.oid, t.relreplident, i.indexrelid) FROM parts t
                    LEFT JOIN pg_index i ON i.indrelid = t.oid
                        AND CASE t.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
                UNION ALL
                SELECT format('column %s %s %s %s', a.attrelid, a.attname, a.atttypid, a.atttypmod)
                    FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid WHERE a.attnum > 0 AND NOT a.attisdropped
            ) AS lines
            """)
        return try row.optionalString("shown") ?? ""
    }

    private func history() async throws(PostgresError) -> CaptureFound.History? {
        let rows = try await connection.query(
            """
            SELECT number, system_identifier::text AS system, timeline, capture_region FROM regionsync.history
            ORDER BY number DESC LIMIT 1
            """)
        guard let row = rows.first else { return nil }
        return CaptureFound.History(
            number: try row.integer("number"), systemID: try row.string("system"),
            timeline: try row.integer("timeline"),
            captureRegion: try row.string("capture_region"))
    }

    private func foundSlot() async throws(PostgresError) -> CaptureFound.Slot? {
        let rows = try await connection.query(
            """
            SELECT plugin, database, active, active_pid, coalesce(confirmed_flush_lsn, '0/0') AS confirmed,
                coalesce(to_jsonb(s) ->> 'invalidation_reason',
                    CASE WHEN to_jsonb(s) ->> 'conflicting' = 'true' THEN 'conflicting with recovery' END,
                    CASE WHEN wal_status = 'lost' THEN 'its WAL was removed' END) AS lost
            FROM pg_replication_slots s WHERE slot_name = \(PostgresText.literal(slot))
            """)
        guard let row = rows.first else { return nil }
        return CaptureFound.Slot(
            plugin: try row.optionalString("plugin"), database: try row.optionalString("database"),
            isActive: try row.boolean("active"), activePID: try row.optionalString("active_pid").flatMap { Int32($0) },
            lostCause: try row.optionalString("lost"), confirmed: try row.lsn("confirmed"))
    }

    // MARK: Publication

    /// A table of the publication: the columns it shows, nil for all; and its row filter.
    struct Published {
        var columns: Set<String>?
        var filter: String?
    }

    /// The tables of the publication, whatever it shows of them.
    func publishedColumns() async throws(PostgresError) -> [TableName: Published] {
        let lists = await connection.serverVersion >= 150_000
        let rows = try await connection.query(
            """
            SELECT schemaname, tablename, \(lists ? "unnest(attnames)" : "NULL::text") AS attname,
                \(lists ? "rowfilter" : "NULL::text") AS rowfilter
            FROM pg_publication_tables WHERE pubname = \(PostgresText.literal(publication))
            """)
        var tables: [TableName: Published] = [:]
        for row in rows {
            let name = TableName(schema: try row.string("schemaname"), name: try row.string("tablename"))
            let filter = try row.optionalString("rowfilter")
            var table = tables[name] ?? Published(filter: filter)
            if let column = try row.optionalString("attname") { table.columns = (table.columns ?? []).union([column]) }
            tables[name] = table
        }
        return tables
    }

    private func found(
        _ published: [TableName: Published]
    ) async throws(PostgresError) -> CaptureFound.Publication? {
        let rows = try await connection.query(
            """
            SELECT pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication
            WHERE pubname = \(PostgresText.literal(publication))
            """)
        guard let row = rows.first else { return nil }
        var kinds: Set<String> = []
        for kind in CaptureFound.Publication.kinds where try row.boolean("pub\(kind)") { kinds.insert(kind) }
        return CaptureFound.Publication(publishes: kinds, tables: Set(published.keys))
    }

    // MARK: Tables

    /// The catalog's tables as a list of rows in SQL.
    private var tableNames: String {
        catalog.tables.map { "(\(PostgresText.literal($0.table.schema)), \(PostgresText.literal($0.table.name)))" }
            .joined(separator: ", ")
    }

    /// The columns of the catalog's tables that exist, in PostgreSQL's order, with those of the replica identity.
    func columns() async throws(PostgresError) -> [TableName: [(name: String, isIdentity: Bool)]] {
        let rows = try await connection.query(
            """
            SELECT n.nspname, c.relname, a.attname,
                NOT EXISTS (
                    -- The log has the identity of the partition that holds the row; it is not inherited.
                    SELECT FROM pg_class p JOIN pg_attribute pa ON pa.attrelid = p.oid AND pa.attname = a.attname
                    WHERE (p.oid = c.oid OR p.oid IN (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf))
                        AND p.relreplident <> 'f' AND NOT EXISTS (
                            SELECT FROM pg_index i WHERE i.indrelid = p.oid AND pa.attnum = ANY (i.indkey)
                                AND CASE p.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END)
                ) AS identity
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                AND (n.nspname, c.relname) IN (\(tableNames))
            ORDER BY n.nspname, c.relname, a.attnum
            """)
        var tables: [TableName: [(name: String, isIdentity: Bool)]] = [:]
        for row in rows {
            let table = TableName(schema: try row.string("nspname"), name: try row.string("relname"))
            tables[table, default: []].append((try row.string("attname"), try row.boolean("identity")))
        }
        return tables
    }

    private func tables(_ published: [TableName: Published]) async throws(PostgresError) -> [CaptureFound.Table] {
        let columns = try await columns()
        return catalog.tables.map { table in
            let shown = published[table.table]?.columns
            return CaptureFound.Table(
                name: table.table, required: table.identity,
                columns: columns[table.table].map { columns in
                    Set(columns.map(\.name)).intersection(shown ?? Set(columns.map(\.name)))
                },
                identity: Set((columns[table.table] ?? []).filter(\.isIdentity).map(\.name)))
        }
    }

    /// The catalog's tables for CREATE PUBLICATION, with column lists where columns are left out.
    func publishedTables() async throws(PostgresError) -> String {
        let columns = try await columns()
        let takesLists = await connection.serverVersion >= 150_000
        return catalog.tables.map { table in
            let name = Self.quoted(table.table)
            guard takesLists, !table.omit.isEmpty else { return name }
            let shown = (columns[table.table] ?? []).map(\.name).filter { !table.omit.contains($0) }
            return "\(name) (\(shown.map(PostgresText.identifier).joined(separator: ", ")))"
        }.joined(separator: ", ")
    }

    static func quoted(_ table: TableName) -> String {
        "\(PostgresText.identifier(table.schema)).\(PostgresText.identifier(table.name))"
    }

    private func one(_ sql: String) async throws(PostgresError) -> PostgresRow {
        guard let row = try await connection.query(sql).first else { throw .protocolViolation("no row: \(sql)") }
        return row
    }
}
