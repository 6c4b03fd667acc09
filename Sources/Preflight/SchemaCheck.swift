internal import PostgresClient
internal import Provisioning
internal import RegionConfig

extension PostgresCheck {
    /// The schema's version, and who captures by `regionsync.history`. `system` is what answers at this address.
    func schema(
        _ connection: PostgresConnection, _ system: PostgresConnection.SystemIdentity?
    ) async throws(PostgresError) -> [Finding] {
        // Names are looked up by hand: without USAGE, to_regclass would throw.
        let tables = try await connection.query(
            """
            SELECT relname, has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(pg_class.oid, 'SELECT')
                AND (relname <> 'history' OR has_table_privilege(pg_class.oid, 'INSERT')) AS allowed
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = 'regionsync' AND relname IN ('history', 'schema_version')
            """)
        guard tables.count == 2 else {
            return [finding(.error, "schema", "regionsync.history is missing: not migrated yet", migrateRemedy)]
        }
        for table in tables where try !table.boolean("allowed") {
            return [
                finding(
                    .error, "schema", "\(postgres.user) may not use regionsync.\(try table.string("relname"))",
                    .sql(
                        "GRANT USAGE ON SCHEMA regionsync TO \(quotedUser)",
                        "GRANT SELECT ON regionsync.schema_version, regionsync.history TO \(quotedUser)",
                        "GRANT INSERT ON regionsync.history TO \(quotedUser)"))
            ]
        }
        return [try await schemaVersion(connection), try await history(connection, system)]
    }

    private func schemaVersion(_ connection: PostgresConnection) async throws(PostgresError) -> Finding {
        guard let row = try await connection.query(ProvisioningSchema.installedVersion).first else {
            throw .protocolViolation("no schema version")
        }
        let installed: Int = try row.integer("version")
        do {
            let pending = try ProvisioningSchema.pending(after: installed)
            guard pending.isEmpty else {
                let names = pending.map { "\($0.version) (\($0.name))" }.joined(separator: ", ")
                return finding(.error, "schema", "version \(installed); pending: \(names)", migrateRemedy)
            }
            return finding(.ok, "schema", "version \(installed)")
        } catch {
            return finding(.error, "schema", "\(error)", .words("Install the newer regionsync."))
        }
    }

    private func history(
        _ connection: PostgresConnection, _ system: PostgresConnection.SystemIdentity?
    ) async throws(PostgresError) -> Finding {
        let sql = """
            SELECT number, system_identifier, timeline, capture_region FROM regionsync.history
            ORDER BY number DESC LIMIT 1
            """
        guard let row = try await connection.query(sql).first else {
            return finding(.error, "history", "no row says which region captures", migrateRemedy)
        }
        let capturing = try row.string("capture_region")
        let known = [region.name] + region.peers.map(\.region)
        guard known.contains(capturing) else {
            return finding(
                .error, "history",
                "\(capturing) captures, which is neither this region nor a peer (\(known.joined(separator: ", ")))",
                .words("Add it to peers in \(file), or let a region that is there take over: regionsync failover."))
        }
        let statement = "\(try row.string("number")): \(capturing) captures"
        if let system {
            let timeline: UInt32 = try row.integer("timeline")
            guard try row.string("system_identifier") == system.systemID, timeline == system.timeline else {
                return finding(
                    .warning, "history",
                    statement + ", but this server is another system or timeline than that row's",
                    .words("After a promotion or restore this is right: \(capturing) adds the next row by itself."))
            }
        }
        return finding(.ok, "history", statement)
    }
}
