import PostgresClient
import RegionConfig
import Traffic

/// The columns of each table that regions see: those of the database that the catalog does not leave out.
///
/// A table that the catalog does not have, or has as another type, has none: nothing of it is expected anywhere.
struct ReplicatedColumns: Sendable {
    private let columns: [ProvisioningTable: [String]]

    init(_ catalog: Catalog, in database: PostgresConnection) async throws(PostgresError) {
        let rows = try await database.query(
            """
            SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'provisioning' AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY c.relname, a.attnum
            """)
        var omitted: [String: Set<String>] = [:]
        for table in catalog.tables where table.table.schema == "provisioning" && table.type == table.table.name {
            omitted[table.type] = Set(table.omit)
        }
        var columns: [ProvisioningTable: [String]] = [:]
        for row in rows {
            let name = try row.string("attname")
            guard let table = ProvisioningTable(rawValue: try row.string("relname")),
                let hidden = omitted[table.type], !hidden.contains(name)
            else { continue }
            columns[table, default: []].append(name)
        }
        self.columns = columns
    }

    subscript(table: ProvisioningTable) -> [String] { columns[table] ?? [] }
}
