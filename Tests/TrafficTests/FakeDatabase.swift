import Traffic

/// Tables in memory that refuse what PostgreSQL's constraints refuse: missing rows, taken keys, dangling references.
struct FakeDatabase {
    struct Refusal: Error {
        let reason: String
    }

    private var tables: [ProvisioningTable: [[String]: [String: String]]] = [:]
    private var used: [ProvisioningTable: Set<[String]>] = [:]
    /// Values of unique columns that are taken.
    private var taken: Set<String> = []
    /// How often each row is referred to: table, dbid.
    private var references: [String: Int] = [:]

    func count(_ table: ProvisioningTable) -> Int { tables[table]?.count ?? 0 }

    mutating func apply(_ change: RowChange) throws(Refusal) {
        let table = change.table
        switch change {
        case .insert(_, let values):
            var row: [String: String] = [:]
            for (column, value) in zip(table.columns, values) { row[column] = value }
            let key = table.keyColumns.map { row[$0] ?? "" }
            if table.hasDBID, used[table, default: []].contains(key) { throw Refusal(reason: "\(key) used again") }
            used[table, default: []].insert(key)
            try put(row, table)
        case .update(_, let key, let set):
            try update(table, key, set)
        case .updateMany(_, let dbids, let set):
            for dbid in dbids { try update(table, [String(dbid)], set) }
        case .delete(_, let key):
            _ = try take(key, table)
        }
    }

    private mutating func update(
        _ table: ProvisioningTable, _ key: [String], _ set: [RowChange.Assignment]
    ) throws(Refusal) {
        let keysOwnRow = table.keyColumns.allSatisfy { column in !set.contains { $0.column == column } }
        var row = try take(key, table, isUpdate: keysOwnRow)
        for assignment in set {
            guard table.columns.contains(assignment.column) else { throw Refusal(reason: assignment.column) }
            row[assignment.column] = assignment.value
        }
        try put(row, table)
    }

    private mutating func put(_ row: [String: String], _ table: ProvisioningTable) throws(Refusal) {
        let key = table.keyColumns.map { row[$0] ?? "" }
        guard tables[table]?[key] == nil else { throw Refusal(reason: "\(table) \(key) exists") }
        for unique in uniques(row, table) where !taken.insert(unique).inserted {
            throw Refusal(reason: "\(unique) is taken")
        }
        for (target, dbid) in referred(row, table) {
            guard tables[target]?[[dbid]] != nil else { throw Refusal(reason: "no \(target) \(dbid)") }
            references["\(target) \(dbid)", default: 0] += 1
        }
        tables[table, default: [:]][key] = row
    }

    private mutating func take(
        _ key: [String], _ table: ProvisioningTable, isUpdate: Bool = false
    ) throws(Refusal) -> [String: String] {
        guard let row = tables[table]?.removeValue(forKey: key) else { throw Refusal(reason: "no \(table) \(key)") }
        if !isUpdate, table.hasDBID, references["\(table) \(key[0])", default: 0] > 0 {
            throw Refusal(reason: "\(table) \(key) is referred to")
        }
        for unique in uniques(row, table) { taken.remove(unique) }
        for (target, dbid) in referred(row, table) { references["\(target) \(dbid)", default: 0] -= 1 }
        return row
    }

    private func uniques(_ row: [String: String], _ table: ProvisioningTable) -> [String] {
        func unique(_ columns: String...) -> String {
            "\(table) \(columns) \(columns.map { row[$0] ?? "" })"
        }
        return switch table {
        case .tenant: [unique("name")]
        case .dn: [unique("switch_dbid", "number"), unique("tenant_dbid", "name")]
        case .person: [unique("user_name"), unique("tenant_dbid", "employee_id")]
        case .agentLogin: [unique("switch_dbid", "login_code")]
        case .place:
            [unique("tenant_dbid", "name")] + array(row["dn_dbids"]).map { "DN \($0) in a place" }
        case .personSkill, .agentGroupMember, .placeGroupMember, .dnGroupMember: []
        case .campaignGroup: [unique("campaign_dbid", "name")]
        default: [unique("tenant_dbid", "name")]
        }
    }

    private func referred(_ row: [String: String], _ table: ProvisioningTable) -> [(ProvisioningTable, String)] {
        let single: [(String, ProvisioningTable)] = [
            ("switch_dbid", .switch), ("place_dbid", .place), ("person_dbid", .person), ("skill_dbid", .skill),
            ("agent_group_dbid", .agentGroup), ("place_group_dbid", .placeGroup), ("dn_group_dbid", .dnGroup),
            ("dn_dbid", .dn), ("campaign_dbid", .campaign), ("group_dbid", .agentGroup), ("orig_dn_dbid", .dn),
            ("tenant_dbid", .tenant),
        ]
        let lists: [(String, ProvisioningTable)] = [
            ("dn_dbids", .dn), ("manager_dbids", .person), ("route_dn_dbids", .dn),
        ]
        return single.compactMap { column, target in row[column].map { (target, $0) } }
            + lists.flatMap { column, target in array(row[column]).map { (target, $0) } }
    }

    private func array(_ text: String?) -> [String] {
        (text ?? "").dropFirst().dropLast().split(separator: ",").map(String.init)
    }
}
