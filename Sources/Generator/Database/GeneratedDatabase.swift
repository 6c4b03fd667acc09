import PostgresClient
import Provisioning
import RegionConfig
import Traffic

/// The tenants of one prefix in PostgreSQL: found again, made where they are missing, read as rows.
struct GeneratedDatabase {
    let connection: PostgresConnection
    let columns: ReplicatedColumns
    private let prefix: String

    /// Looks whether the schema is there. Throws `GeneratorError.schema`, or what PostgreSQL says.
    init(_ connection: PostgresConnection, database: String, catalog: Catalog, prefix: String) async throws {
        self.connection = connection
        self.prefix = prefix
        let installed: Int
        do throws(PostgresError) {
            installed = try await connection.query(ProvisioningSchema.installedVersion)[0].integer("version")
        } catch {
            guard ["42P01", "3F000"].contains(error.sqlState) else { throw error }
            throw GeneratorError.schema(database: database, problem: "has no provisioning schema")
        }
        guard try ProvisioningSchema.pending(after: installed).isEmpty else {
            throw GeneratorError.schema(database: database, problem: "has an older schema, version \(installed)")
        }
        columns = try await ReplicatedColumns(catalog, in: connection)
    }

    // MARK: Tenants

    /// Dbids of the first `count` tenants of the prefix, those that are there.
    func tenants(_ count: Int) async throws(PostgresError) -> [Int64] {
        let rows = try await connection.query(
            "SELECT dbid FROM provisioning.tenant WHERE starts_with(name, $1) ORDER BY dbid LIMIT $2",
            [prefix, String(count)])
        return rows.compactMap { row in row[0].flatMap { Int64($0) } }
    }

    /// Makes tenants until there are `count` of the prefix, each in a transaction of its own; after each, `made` gets
    /// how many there are and the objects of the new one.
    func fill(
        _ count: Int, persons: Int, seed: UInt64, made: (Int, [TouchedObject]) async throws -> Void
    ) async throws {
        let rows = try await connection.query(
            "SELECT name FROM provisioning.tenant WHERE starts_with(name, $1)", [prefix])
        let names = Set(rows.compactMap { $0[0] })
        var there = names.count
        var number = 0
        while there < count {
            if !names.contains(ProvisioningPlan.tenantName(number, prefix: prefix)) {
                let objects = try await make(number, persons: persons, seed: seed)
                there += 1
                try await made(there, objects)
            }
            number += 1
        }
    }

    private func make(_ number: Int, persons: Int, seed: UInt64) async throws -> [TouchedObject] {
        func plan(_ dbids: DBIDAllocator) -> ProvisioningPlan {
            ProvisioningPlan(
                seed: seed, tenants: number..<(number + 1), persons: persons, prefix: prefix, dbids: dbids)
        }
        var dbids = DBIDAllocator()
        for rows in plan(dbids).tables where rows.table.hasDBID && !rows.rows.isEmpty {
            dbids.reserved(try await reserve(rows.rows.count, of: rows.table), for: rows.table)
        }
        let tables = plan(dbids).tables
        var touched = TouchedObjects()
        try await connection.withTransaction { transaction in
            for rows in tables where !rows.rows.isEmpty {
                for insert in rows.inserts(returning: columns[rows.table]) {
                    let answer = try await transaction.query(insert.text, insert.parameters, timeout: .seconds(120))
                    touched.inserted(rows.table, columns: answer.columns, rows: answer.values)
                }
            }
        }
        return touched.touched
    }

    // MARK: Dbids

    /// A block of dbids that the table's identity column will not give to others.
    func reserve(_ count: Int, of table: ProvisioningTable) async throws(PostgresError) -> Range<Int64> {
        // Two steps, of which only each is atomic: who takes a number between them takes the block's second one, and a
        // transaction that needs it is refused and planned anew.
        let last: Int64 = try await connection.query(
            """
            SELECT setval(sequence, nextval(sequence) + $2::bigint - 1) AS last
            FROM pg_get_serial_sequence($1, 'dbid') AS sequence
            """, [table.sqlName, String(count)])[0].integer("last")
        return (last - Int64(count) + 1)..<(last + 1)
    }

    // MARK: Rows

    /// Every row of these tenants.
    func rows(of tenants: [Int64]) async throws(PostgresError) -> [ProvisioningRows] {
        let list = "{\(tenants.map(String.init).joined(separator: ","))}"
        var tables: [ProvisioningRows] = []
        for table in ProvisioningTable.allCases {
            let order = table.keyColumns.joined(separator: ", ")
            let answer = try await connection.query(
                """
                SELECT \(table.columns.joined(separator: ", ")) FROM \(table.sqlName)
                WHERE \(table.tenantColumn) = ANY($1) ORDER BY \(order)
                """, [list], timeout: .seconds(120))
            tables.append(ProvisioningRows(table, rows: answer.values))
        }
        return tables
    }
}

extension PostgresRows {
    /// Every row's values in the order of `columns`, nil for NULL.
    var values: [[String?]] { map { row in columns.indices.map { row[$0] } } }
}
