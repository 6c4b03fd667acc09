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

    /// What `SchemaAccess` grants: writing also reads, for versions and answers, and finds out which history it is in.
    private func rights(
        of user: String, _ connection: PostgresConnection
    ) async throws(PostgresError) -> Finding {
        let written = region.catalog.tables.map(\.table) + [TableName(schema: "regionsync", name: "once")]
        let read = written + [TableName(schema: "regionsync", name: "history")]
        let names = read.map { "(\(SQL.literal($0.schema)), \(SQL.literal($0.name)))" }
        // By oid: a name would need USAGE on its schema to be looked up. Some columns are nobody's to read.
        let rows = try await connection.query(
            """
            SELECT nspname || '.' || relname AS name,
                has_any_column_privilege(pg_class.oid, 'SELECT') AS readable,
                has_table_privilege(pg_class.oid, 'INSERT') AND has_table_privilege(pg_class.oid, 'UPDATE')
                    AND has_table_privilege(pg_class.oid, 'DELETE') AS writable
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE (nspname, relname) IN (VALUES \(names.joined(separator: ", ")))
                AND has_schema_privilege(relnamespace, 'USAGE')
            """)
        var (readable, writable) = (Set<String>(), Set<String>())
        for row in rows {
            let name = try row.string("name")
            if try row.boolean("readable") { readable.insert(name) }
            if try row.boolean("writable") { writable.insert(name) }
        }
        let refusals = [
            ("write", written.map(\.description).filter { !writable.contains($0) }),
            ("read", read.map(\.description).filter { !readable.contains($0) }),
        ].filter { !$0.1.isEmpty }
        guard refusals.isEmpty else {
            let words = refusals.map { "may not \($0.0) \($0.1.joined(separator: ", "))" }
            return finding(.error, "writer", "\(user) \(words.joined(separator: " and "))", migrateRemedy)
        }
        return finding(.ok, "writer", user)
    }
}
