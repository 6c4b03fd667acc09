import PostgresClient
import Traffic

/// What the tables hold of the objects in a ledger.
struct TableContents {
    static func check(_ ledger: Ledger, in regions: TestRegions) async throws -> ObjectCheck.Findings {
        let connection = try await regions.connectToPostgres()
        var check = ObjectCheck(ledger)
        for table in ProvisioningTable.allCases {
            let rows = try await connection.query("SELECT * FROM \(table.sqlName)")
            for row in rows {
                var values: [(String, String?)] = []
                for (index, column) in rows.columns.enumerated() where column != "password_hash" {
                    values.append((column, row[index]))
                }
                func value(_ name: String) -> String { values.first { $0.0 == name }?.1 ?? "" }
                let key = table.keyColumns.map(value).joined(separator: ",")
                check.objectRead(
                    ObjectKey(tenant: value(table.tenantColumn), type: table.type, key: key),
                    digest: PayloadDigest.object(values))
            }
        }
        await connection.close()
        return check.finish()
    }
}
