internal import Connections
internal import Journal
internal import PostgresClient
internal import Provisioning
internal import RegionConfig

/// Whether PostgreSQL is as capture needs it (capture.md), seen by the role the worker uses.
struct PostgresCheck: Sendable {
    let region: Region
    /// How the operator calls the region file.
    let file: String
    /// Where the region's own provisioning journal ends; nil while it has captured nothing, or its Redis is away.
    let journaled: Position?

    init(_ region: Region, file: String, journaled: Position?) {
        self.region = region
        self.file = file
        self.journaled = journaled
    }

    var postgres: Region.Postgres { region.postgres }
    var place: String { "postgres \(postgres.address)/\(postgres.database)" }
    var quotedUser: String { SQL.identifier(postgres.user) }

    /// What makes schema, roles and publication.
    var migrateRemedy: Remedy {
        .shell("regionsync migrate --region \(file) --postgres-user postgres", note: "Or another superuser's name.")
    }

    func run() async -> [Finding] {
        let connection: PostgresConnection
        do {
            connection = try await .connect(PostgresOptions(postgres, region: region.name, purpose: "check"))
        } catch {
            return [unconnected(error, "connection")]
        }
        let findings = await look(through: connection)
        await connection.close()
        return findings + (await writer())
    }

    private func look(through connection: PostgresConnection) async -> [Finding] {
        var findings = [version(await connection.serverVersion, usesTLS: await connection.usesTLS)]
        findings += await part("server") { () throws(PostgresError) in try await settings(connection) }
        let role = await part("role") { () throws(PostgresError) in try await self.role(connection) }
        findings += role
        var system: PostgresConnection.SystemIdentity?
        if !role.contains(where: { $0.severity == .error }) {
            switch await identifySystem() {
            case .success(let identity): system = identity
            case .failure(let error): findings.append(unconnected(error, "replication"))
            }
        }
        findings += await part("schema") { () throws(PostgresError) in try await schema(connection, system) }
        findings += await part("catalog") { () throws(PostgresError) in try await catalog(connection) }
        findings += await part("slot") { () throws(PostgresError) in try await slot(connection) }
        return findings
    }

    func finding(
        _ severity: Finding.Severity, _ subject: String, _ statement: String, _ remedy: Remedy? = nil
    ) -> Finding {
        Finding(severity, at: place, subject, statement, remedy)
    }

    /// A part that cannot be looked at is a finding of its own.
    private func part(
        _ subject: String, _ look: () async throws(PostgresError) -> [Finding]
    ) async -> [Finding] {
        do {
            return try await look()
        } catch {
            return [finding(.error, subject, "cannot be looked at: \(error)")]
        }
    }

    // MARK: Connecting

    /// The same as capture will do: only this finds missing rules in pg_hba.conf and used-up WAL senders.
    private func identifySystem() async -> Result<PostgresConnection.SystemIdentity, PostgresError> {
        var options = PostgresOptions(postgres, region: region.name, purpose: "check")
        options.isReplication = true
        do {
            let connection = try await PostgresConnection.connect(options)
            let identity: Result<PostgresConnection.SystemIdentity, PostgresError>
            do {
                identity = .success(try await connection.identifySystem())
            } catch {
                identity = .failure(error)
            }
            await connection.close()
            return identity
        } catch {
            return .failure(error)
        }
    }

    private func unconnected(_ error: PostgresError, _ subject: String) -> Finding {
        let address = postgres.address
        let remedy: Remedy =
            switch error {
            case .authentication(let reason) where reason.contains("pg_hba.conf"):
                .sql(
                    "SELECT pg_reload_conf()",
                    note: "After adding a line for this client to the file that SHOW hba_file names, such as: "
                        + "host \(postgres.database) \(postgres.user) <address>/32 scram-sha-256")
            case .authentication(let reason) where reason.contains("does not exist"): migrateRemedy
            case .authentication:
                .sql(
                    "ALTER ROLE \(quotedUser) PASSWORD '…'",
                    note: "Or correct postgres.user and the secret that postgres.passwordFile or "
                        + "postgres.passwordEnv names in \(file).")
            case .server("3D000", _, _, _):
                .sql(
                    "CREATE DATABASE \(SQL.identifier(postgres.database))", note: "In database postgres; then migrate.")
            case .server("42501", _, _, _):
                .sql(
                    "GRANT CONNECT ON DATABASE \(SQL.identifier(postgres.database)) TO \(quotedUser)",
                    "ALTER ROLE \(quotedUser) REPLICATION")
            case .server("53300", _, _, _):
                .sql(
                    "ALTER SYSTEM SET max_connections = 200", "ALTER SYSTEM SET max_wal_senders = 20",
                    note: "Whichever of the two is used up; then restart PostgreSQL.")
            case .connect, .server, .closed, .timeout, .cancelled, .protocolViolation:
                .shell(
                    "pg_isready -h \(address.host) -p \(address.port)",
                    note: "No answer: start the server, or correct postgres.host and postgres.port in \(file).")
            }
        return finding(.error, subject, "\(error)", remedy)
    }

    // MARK: Server

    private func version(_ version: Int, usesTLS: Bool) -> Finding {
        let hidesColumns = region.catalog.tables.contains { !$0.omit.isEmpty }
        let text = "PostgreSQL \(version / 10_000).\(version % 10_000)"
        let oldest = hidesColumns ? 15 : 14
        guard version / 10_000 >= oldest else {
            return finding(
                .error, "version",
                text + "; expected \(oldest) or newer" + (hidesColumns ? ", since the catalog omits columns" : ""),
                .words(hidesColumns ? "Upgrade, or leave omit out of the catalog." : "Upgrade PostgreSQL."))
        }
        return finding(.ok, "version", text + (usesTLS ? ", TLS" : ""))
    }

    private func settings(_ connection: PostgresConnection) async throws(PostgresError) -> [Finding] {
        let sql = """
            SELECT current_setting('wal_level') AS wal_level, current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS recovers,
                current_setting('max_replication_slots')::int AS slots,
                (SELECT count(*) FROM pg_replication_slots) AS used_slots,
                EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1) AS has_slot,
                current_setting('max_wal_senders')::int AS senders,
                (SELECT count(*) FROM pg_stat_get_wal_senders()) AS used_senders,
                EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active) AS streams,
                (SELECT CASE WHEN setting = '-1' THEN -1 ELSE setting::bigint * 1048576 END
                    FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS keep_bytes
            """
        guard let row = try await connection.query(sql, [postgres.slot]).first else {
            throw .protocolViolation("no settings")
        }
        var findings: [Finding] = []
        if try row.boolean("recovers") {
            findings.append(
                finding(
                    .error, "role of the server", "is a standby; capture and writes need the primary",
                    .words("Let postgres.host in \(file) name the primary.")))
        }
        let level = try row.string("wal_level")
        findings.append(
            level == "logical"
                ? finding(.ok, "wal_level", level)
                : finding(
                    .error, "wal_level", "\(level); expected logical",
                    .sql("ALTER SYSTEM SET wal_level = 'logical'", note: "Then restart PostgreSQL.")))
        if let wrong = encoding(try row.string("encoding")) { findings.append(wrong) }
        findings.append(
            try capacity(
                "max_replication_slots", of: row.integer("slots"), used: row.integer("used_slots"),
                needed: row.boolean("has_slot") ? 0 : 1))
        findings.append(
            try capacity(
                "max_wal_senders", of: row.integer("senders"), used: row.integer("used_senders"),
                needed: row.boolean("streams") ? 0 : 1))
        if let warning = keepSize(try row.integer("keep_bytes")) { findings.append(warning) }
        return findings
    }

    /// Entries, keys and values are UTF-8; digests of another encoding's bytes would differ from PostgreSQL's own.
    private func encoding(_ name: String) -> Finding? {
        guard name != "UTF8" else { return nil }
        let other = postgres.database + "_utf8"
        return finding(
            .error, "server_encoding", "database \(postgres.database) is in \(name); expected UTF8",
            .sql(
                "CREATE DATABASE \(SQL.identifier(other)) TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'",
                note:
                    "Then move the data: pg_dump \(postgres.database) | psql \(other); and postgres.database: \(other) "
                    + "in \(file)."))
    }

    private func capacity(_ name: String, of limit: Int, used: Int, needed: Int) -> Finding {
        guard used + needed <= limit else {
            return finding(
                .error, name, "all \(limit) are in use",
                .sql("ALTER SYSTEM SET \(name) = \(used + 4)", note: "Then restart PostgreSQL."))
        }
        return finding(.ok, name, "\(used) of \(limit) in use")
    }

    /// A slot that PostgreSQL invalidates before our alarms speak is lost unannounced.
    private func keepSize(_ bytes: Int) -> Finding? {
        guard bytes >= 0, bytes < region.limits.retainedWALBytes else { return nil }
        let mebibytes = region.limits.retainedWALBytes / (1 << 20)
        return finding(
            .warning, "max_slot_wal_keep_size",
            "\(bytes / (1 << 20)) MiB: PostgreSQL gives the slot up before limits.retainedWALBytes "
                + "(\(mebibytes) MiB) raises an alarm",
            .sql("ALTER SYSTEM SET max_slot_wal_keep_size = '\(mebibytes)MB'", "SELECT pg_reload_conf()"))
    }

    // MARK: Role

    private func role(_ connection: PostgresConnection) async throws(PostgresError) -> [Finding] {
        let sql = """
            SELECT rolreplication OR rolsuper AS replicates, rolsuper AS is_superuser,
                pg_has_role(current_user, 'pg_read_all_stats', 'MEMBER') AS reads_stats
            FROM pg_roles WHERE rolname = current_user
            """
        guard let row = try await connection.query(sql).first else { throw .protocolViolation("no role") }
        var findings: [Finding] = []
        if try !row.boolean("replicates") {
            findings.append(
                finding(
                    .error, "role", "\(postgres.user) lacks REPLICATION", .sql("ALTER ROLE \(quotedUser) REPLICATION")))
        }
        if try !row.boolean("reads_stats") {
            findings.append(
                finding(
                    .warning, "role", "\(postgres.user) cannot name the transactions that keep a slot from being made",
                    .sql("GRANT pg_read_all_stats TO \(quotedUser)")))
        }
        if findings.isEmpty {
            let surplus = try row.boolean("is_superuser") ? " (a superuser; regionsync_capture would be enough)" : ""
            findings.append(finding(.ok, "role", postgres.user + surplus))
        }
        return findings
    }
}
