internal import Connections
package import Journal
internal import NIOCore
package import PostgresClient
internal import Provisioning
package import Reconciliation
package import RegionConfig

/// PostgreSQL as repairs and comparisons ask it: a connection for each of the two, made when it is needed.
package struct PostgresRepairSource: RepairSource {
    package enum Failure: Error, Hashable, Sendable {
        /// There is no history: nothing was captured yet.
        case noHistory
        /// The server is not the one that the newest history names, so that its log says nothing about any cache.
        case otherServer
    }

    private let catalog: Catalog
    private let publication: String
    private let asking: KeptConnection
    private let comparing: KeptConnection

    /// `servers` are those of which one is the primary.
    package init(catalog: Catalog, publication: String, servers: [PostgresOptions]) {
        self.catalog = catalog
        self.publication = publication
        asking = KeptConnection(servers)
        comparing = KeptConnection(servers)
    }

    /// Ends the connections, until they are needed again.
    package func close() async {
        await asking.close()
        await comparing.close()
    }

    package func horizon() async throws -> UInt64 {
        // A new one: a transaction may be in the log, and so in the cache, that no snapshot counts as over. It writes nothing.
        let rows = try await asking.opened().query("SELECT pg_current_xact_id()::text AS horizon")
        return try rows[0].integer("horizon")
    }

    package func move() async throws {
        try await asking.opened().query("SELECT pg_logical_emit_message(true, 'regionsync', 'verify')")
    }

    package func rows(of names: [ProvisioningEntry.ObjectName]) async throws -> RepairRound.Reading {
        let (catalog, publication) = (catalog, publication)
        return try await asking.opened().withTransaction(
            TransactionOptions(isolation: .repeatableRead, isReadOnly: true)
        ) { transaction in
            let server = try await Self.server(transaction)
            let tables = try await PublishedTable.read(catalog, publication: publication, transaction)
            var rows: [ProvisioningEntry.ObjectName: RepairRound.Row] = [:]
            for table in tables {
                let asked = names.filter { $0.type == table.table.type }
                guard !asked.isEmpty else { continue }
                let query = table.rowsQuery(asked.map { ($0.tenant, $0.key) })
                let answer = try await transaction.query(query.sql, query.parameters, timeout: .seconds(120))
                for object in try table.rows(in: answer) {
                    let name = ProvisioningEntry.ObjectName(
                        tenant: object.tenant, type: table.table.type, key: object.key)
                    rows[name] = RepairRound.Row(digest: object.digest, columns: table.columns(of: object))
                }
            }
            let end = try await transaction.query("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS lsn")
            return RepairRound.Reading(
                oldest: server.oldest, history: server.history, end: try end[0].integer("lsn"), rows: rows)
        }
    }

    package func compare(
        _ table: Int, with cache: CachedObjects, _ found: (TableComparison.Difference) async throws -> Void
    ) async throws -> TableComparison.Summary {
        let (catalog, publication) = (catalog, publication)
        return try await comparing.opened().withTransaction(
            TransactionOptions(isolation: .repeatableRead, isReadOnly: true)
        ) { transaction in
            // It has time: one core's work at most.
            try await transaction.query("SET LOCAL max_parallel_workers_per_gather = 0")
            let tables = try await PublishedTable.read(catalog, publication: publication, transaction)
            var comparison = TableComparison(
                table: table, type: catalog.tables[table].type,
                source: PostgresDigests(tables: tables, transaction: transaction), cache: cache)
            return try await comparison.run(found)
        }
    }

    /// Also takes the snapshot.
    private static func server(_ transaction: PostgresTransaction) async throws -> (oldest: UInt64, history: UInt64) {
        let rows = try await transaction.query(
            """
            SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest, history.number,
                history.system_identifier = control.system_identifier
                    AND history.timeline = ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint
                    AS is_ours
            FROM regionsync.history, pg_control_system() AS control ORDER BY history.number DESC LIMIT 1
            """)
        guard let row = rows.first else { throw Failure.noHistory }
        guard try row.boolean("is_ours") else { throw Failure.otherServer }
        return (try row.integer("oldest"), try row.integer("number"))
    }
}

/// A connection to the primary that is made when it is needed, and made again when it was lost.
private actor KeptConnection {
    private let servers: [PostgresOptions]
    private var connection: PostgresConnection?

    init(_ servers: [PostgresOptions]) { self.servers = servers }

    func opened() async throws(PostgresError) -> PostgresConnection {
        if let connection, await connection.isOpen { return connection }
        let new = try await PrimarySearch.connect(servers).connection
        connection = new
        return new
    }

    func close() async {
        await connection?.close()
        connection = nil
    }
}

extension PostgresRepairSource.Failure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noHistory: "nothing was captured yet: regionsync.history is empty"
        case .otherServer: "PostgreSQL is not the server, or not on the timeline, that the newest history names"
        }
    }
}

extension PublishedTable {
    /// The columns of a row that are not NULL.
    fileprivate func columns(of object: StoredObject) -> [String: String] {
        var columns: [String: String] = [:]
        for (name, value) in zip(self.columns, object.values) { columns[name] = value.map { String(buffer: $0) } }
        return columns
    }
}
