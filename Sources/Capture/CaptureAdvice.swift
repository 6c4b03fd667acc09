internal import RegionConfig

extension CaptureStop {
    /// What an operator can do about it.
    package var advice: String {
        switch self {
        case .schemaMissing: "run regionsync migrate"
        case .walLevel: "ALTER SYSTEM SET wal_level = 'logical'; then restart PostgreSQL"
        case .tableMissing: "create the table (regionsync migrate), or take it out of the catalog"
        case .replicaIdentity(let table, _):
            "make a unique index over tenant and key, then ALTER TABLE \(table) REPLICA IDENTITY USING INDEX …; "
                + "regionsync check prints the SQL"
        case .columnMissing: "mend the catalog or the publication's column list, then restart the worker"
        case .unnamedRow: "give tenant and key columns NOT NULL, and the row its values, then restart the worker"
        case .permission: "grant it to the role of the region file; regionsync migrate grants what is needed"
        case .publicationMissing:
            "run regionsync migrate, which makes it; what was not shown meanwhile is found by comparing"
        case .publicationIncomplete(let name, let tables):
            "ALTER PUBLICATION \(quoted(name)) ADD TABLE "
                + tables.map { "\(quoted($0.schema)).\(quoted($0.name))" }.joined(separator: ", ")
        case .publicationPartial(let name, _):
            "ALTER PUBLICATION \(quoted(name)) SET (publish = 'insert, update, delete, truncate')"
        case .slotForeign: "give postgres.slot another name in the region file"
        case .formerPrimary:
            "keep everybody from writing to it, and make it a standby of the new primary (pg_rewind or pg_basebackup)"
        case .positionOverflow: "histories are used up or wrong: look at regionsync.history, then restart the worker"
        case .undecodable: "keep the slot as it is and report the message: nothing was skipped"
        case .journalFenced, .journalForked:
            "find out who wrote to rs:{_}:provisioning:<this region> or its meta; to begin it anew, DEL both: everything is "
                + "compared then, and peers close their copies"
        case .redis: "look into the log of Redis; capture tries again"
        case .postgres: "look into the log of PostgreSQL; capture tries again"
        }
    }

    private func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
