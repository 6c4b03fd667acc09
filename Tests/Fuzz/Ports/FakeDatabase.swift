import ConfigListener

/// A PostgreSQL that has the tables of the catalog, and takes or refuses what it is told, whatever that is.
struct FakeDatabase: ProvisioningDatabase {
    let temper: Temper

    func begin() async throws(DatabaseFailure) -> any ProvisioningTransaction {
        switch temper.die(for: "begin".utf8) {
        case 0: throw .away("no server")
        case 1: throw .busy
        default: return FakeTransaction(temper: temper)
        }
    }
}

private struct FakeTransaction: ProvisioningTransaction {
    let temper: Temper

    func run(_ statement: WriteStatement) async throws(DatabaseFailure) -> StatementRows {
        let sql = statement.sql
        if sql.contains("format_type(") { return StatementRows(rows: Self.columns) }
        if sql.contains("FROM pg_constraint") { return StatementRows(rows: Self.constraints) }
        let question = sql + statement.parameters.map { $0 ?? "" }.joined(separator: " ")
        let die = temper.die(for: question.utf8)
        switch die {
        case 0: throw .lost
        case 1, 2, 3: throw .refused(Self.refusal(question.utf8.count))
        case 4: return StatementRows()
        case 5: return StatementRows(rows: [[nil, "\r\n", "x"]], affected: -1)
        default: return StatementRows(rows: [Self.usual(sql)], affected: 1)
        }
    }

    func commit() async throws(DatabaseFailure) {
        switch temper.die(for: "commit".utf8) {
        case 0: throw .outcomeUnknown
        case 1: throw .refused(Self.refusal(1))
        default: break
        }
    }

    func rollBack() async {}

    // MARK: What a server would say

    private static func usual(_ sql: String) -> [String?] {
        if sql.contains("pg_current_wal_insert_lsn") { return ["4503599627370600", "77", nil] }
        if sql.hasPrefix("SELECT request =") { return ["t", "4503599627370600-77 - 7"] }
        return sql.contains(" FOR ") ? ["7", "99"] : ["7"]
    }

    private static func refusal(_ number: Int) -> DatabaseRefusal {
        let codes = [
            "23505", "23503", "23502", "23514", "23000", "22P02", "40001", "42703", "55P03", "25006", "53300", "P0001",
            "",
        ]
        let constraints = ["person_user_name_key", "person_tenant_dbid_fkey", "person_place_dbid_fkey", nil]
        return DatabaseRefusal(
            code: codes[number % codes.count], message: "words\r\nof the server", schema: "provisioning",
            table: number % 3 == 0 ? "place_dn" : "person", column: number % 2 == 0 ? "user_name" : nil,
            constraint: constraints[number % constraints.count])
    }

    private static let columns: [[String?]] = [
        ["provisioning", "person", "dbid", "bigint", "t", "generated", nil, "t"],
        ["provisioning", "person", "tenant_dbid", "bigint", "t", "client", nil, "t"],
        ["provisioning", "person", "user_name", "character varying(64)", "t", "client", "64", "t"],
        ["provisioning", "person", "place_dbid", "bigint", "f", "client", nil, "t"],
        ["provisioning", "person", "dn_dbids", "bigint[]", "t", "default", nil, "t"],
        ["provisioning", "person", "password_hash", "text", "f", "client", nil, "f"],
        ["provisioning", "person_skill", "tenant_dbid", "bigint", "t", "client", nil, "t"],
        ["provisioning", "person_skill", "person_dbid", "bigint", "t", "client", nil, "t"],
        ["provisioning", "person_skill", "skill_dbid", "bigint", "t", "client", nil, "t"],
        ["provisioning", "person_skill", "level", "smallint", "t", "default", nil, "t"],
        ["provisioning", "tenant", "dbid", "bigint", "t", "generated", nil, "t"],
        ["provisioning", "tenant", "name", "text", "t", "client", nil, "t"],
        ["provisioning", "tenant", "parent_tenant_dbid", "bigint", "f", "client", nil, "t"],
    ]

    private static let constraints: [[String?]] = [
        ["provisioning", "person", "person_user_name_key", "u", "user_name", nil, nil],
        ["provisioning", "person", "person_tenant_dbid_fkey", "f", "tenant_dbid", "provisioning", "tenant"],
        ["provisioning", "person", "person_place_dbid_fkey", "f", "tenant_dbid", "provisioning", "place"],
        ["provisioning", "person", "person_place_dbid_fkey", "f", "place_dbid", "provisioning", "place"],
        ["provisioning", "tenant", "tenant_parent_fkey", "f", "parent_tenant_dbid", "provisioning", "tenant"],
        ["provisioning", "person_skill", "person_skill_identity", "u", "tenant_dbid", nil, nil],
        ["provisioning", "person_skill", "person_skill_identity", "u", "person_dbid", nil, nil],
        ["provisioning", "person_skill", "person_skill_identity", "u", "skill_dbid", nil, nil],
    ]
}
