internal import Journal
internal import PGOutput
internal import PostgresClient
internal import Provisioning
internal import RegionConfig

extension PostgresCheck {
    /// A slot that is missing is made at the start; one that is not ours, or lost, must go first.
    func slot(_ connection: PostgresConnection) async throws(PostgresError) -> [Finding] {
        let sql = """
            SELECT slot_type, plugin, database, temporary, active, active_pid, coalesce(wal_status, '') AS wal_status,
                CASE WHEN pg_is_in_recovery() THEN 0
                    ELSE coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0) END::bigint AS retained,
                (SELECT application_name FROM pg_stat_activity WHERE pid = active_pid) AS application
            FROM pg_replication_slots WHERE slot_name = $1
            """
        guard let row = try await connection.query(sql, [postgres.slot]).first else {
            return [missingSlot]
        }
        let slot = postgres.slot
        let isOurs = Self.isOurs(try row.optionalString("application") ?? "")
        let wrong = try fault(of: row)
        if let wrong { return [finding(.error, "slot", "\(slot) \(wrong)", try drop(row))] }
        if try row.boolean("active"), !isOurs {
            let holder = try row.optionalString("application") ?? ""
            let pid = try row.string("active_pid")
            return [
                finding(
                    .error, "slot", "\(slot) is in use by process \(pid)" + (holder.isEmpty ? "" : " (\(holder))"),
                    .sql("SELECT pg_terminate_backend(\(pid))", note: "If that program has no business with it."))
            ]
        }
        let retained: Int = try row.integer("retained")
        let statement = "\(slot)" + (isOurs ? " streams" : "") + ", \(retained / (1 << 20)) MiB of WAL retained"
        if try row.string("wal_status") == "unreserved" || retained > region.limits.retainedWALBytes {
            return [
                finding(.warning, "slot", statement, .words("Let the capturing region run soon, or the slot is lost."))
            ]
        }
        return [finding(.ok, "slot", statement)]
    }

    /// Whether a session's application name is one of regionsync's own: `regionsync capture`, `regionsync-us-east-check`.
    private static func isOurs(_ application: String) -> Bool {
        ["regionsync ", "regionsync-"].contains { application.hasPrefix($0) }
    }

    /// Behind what the journal holds, only a comparison tells what was changed while there was no slot.
    private var missingSlot: Finding {
        guard let journaled else {
            return finding(.ok, "slot", "\(postgres.slot) is not there; the capturing region makes it when it starts")
        }
        return finding(
            .warning, "slot",
            "\(postgres.slot) is gone, and the journal of \(region.name) ends at \(LSN(journaled.lsn)) of history "
                + "\(journaled.history)",
            .words("Nothing to do: capture makes a new one, and finds what was missed by comparing."))
    }

    /// What keeps capture from streaming from this slot, in words.
    private func fault(of row: PostgresRow) throws(PostgresError) -> String? {
        if try row.string("slot_type") != "logical" { return "is a physical slot" }
        let plugin = try row.optionalString("plugin") ?? ""
        if plugin != "pgoutput" { return "has plugin \(plugin); expected pgoutput" }
        let database = try row.optionalString("database") ?? ""
        if database != postgres.database { return "belongs to database \(database)" }
        if try row.boolean("temporary") { return "is temporary, made by another session" }
        if try row.string("wal_status") == "lost" {
            return "is lost: PostgreSQL removed WAL it needed. Capture makes a new one and compares what was missed"
        }
        return nil
    }

    private func drop(_ row: PostgresRow) throws(PostgresError) -> Remedy {
        var commands = ["SELECT pg_drop_replication_slot(\(SQL.literal(postgres.slot)))"]
        if let pid = try row.optionalString("active_pid") {
            commands.insert("SELECT pg_terminate_backend(\(pid))", at: 0)
        }
        return .sql(commands, note: "If others need it: another name for postgres.slot in every region's file.")
    }
}
