internal import Connections
internal import PostgresClient
internal import Provisioning
internal import RegionConfig

// The role that clients' writes are made with.
extension PostgresCheck {
    /// Whether the writer can connect and has the rights it needs. Nothing is said where the file opens no port that
    /// could ask for writes and names no writer.
    func writer() async -> [Finding] {
        guard let writer = postgres.writer else {
            guard region.listeners.config != nil else { return [] }
            return [
                finding(
                    .warning, "writer", "postgres.writer is missing: CFG.PUT and CFG.DEL answer UNAVAILABLE",
                    .words("Add postgres.writer to \(file), or leave it so where nobody is to write here."))
            ]
        }
        var options = PostgresOptions(postgres, region: region.name, purpose: "check")
        options.user = writer.user
        options.password = writer.password?.exposed
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(options)
            do throws(PostgresError) {
                let finding = try await rights(of: writer.user, connection)
                await connection.close()
                return [finding]
            } catch {
                await connection.close()
                throw error
            }
        } catch {
            let remedy: Remedy =
                switch error {
                case .authentication:
                    .sql(
                        "ALTER ROLE \(SQL.identifier(writer.user)) PASSWORD '…'",
                        note: "Or correct postgres.writer in \(file); regionsync migrate makes regionsync_write.")
                case .connect, .server, .closed, .timeout, .cancelled, .protocolViolation: migrateRemedy
                }
            return [finding(.error, "writer", "\(writer.user): \(error)", remedy)]
        }
    }

    /// What `SchemaAccess` grants.
    private func rights(
        of user: String, _ connection: PostgresConnection
    ) async throws(PostgresError) -> Finding {
        let tables = region.catalog.tables.map(\.table) + [TableName(schema: "regionsync", name: "once")]
        let names = tables.map { "(\(SQL.literal($0.schema)), \(SQL.literal($0.name)))" }
        // By oid: a name would need USAGE on its schema to be looked up.
        let rows = try await connection.query(
            """
            SELECT nspname || '.' || relname AS name FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE (nspname, relname) IN (VALUES \(names.joined(separator: ", ")))
                AND has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(pg_class.oid, 'INSERT')
                AND has_table_privilege(pg_class.oid, 'UPDATE') AND has_table_privilege(pg_class.oid, 'DELETE')
            """)
        var allowed: Set<String> = []
        for row in rows { allowed.insert(try row.string("name")) }
        let refused = tables.map(\.description).filter { !allowed.contains($0) }
        guard refused.isEmpty else {
            return finding(
                .error, "writer", "\(user) may not write \(refused.joined(separator: ", "))", migrateRemedy)
        }
        return finding(.ok, "writer", user)
    }
}
