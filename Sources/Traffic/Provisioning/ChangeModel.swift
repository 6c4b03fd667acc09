/// What a tenant has now, as far as changes depend on it: who refers to whom, and which names are taken.
struct ChangeModel: Sendable {
    struct Pair: Hashable, Sendable {
        var first: Int64
        var second: Int64

        var key: [String] { [String(first), String(second)] }
    }

    let tenant: String
    var host: Int64 = 0
    /// Persons at a place: agents that calls may be using. They are changed and never removed.
    var agents: [Int64] = []
    var others: [Int64] = []
    var userNames: [Int64: String] = [:]
    var employeeIDs: [Int64: String] = [:]
    var skills: [Int64] = []
    /// (person, skill)
    var personSkills: [Pair] = []
    var groups: [Int64] = []
    /// (agent group, person)
    var groupMembers: [Pair] = []
    var groupManagers: [Int64: [Int64]] = [:]
    var groupRoutes: [Int64: [Int64]] = [:]
    /// DNs that no call uses.
    var spareDNs: [Int64] = []
    var allDNs: [Int64] = []
    var placeDNs: [Int64: [Int64]] = [:]
    var dnGroups: [Int64] = []
    /// (DN group, DN)
    var dnGroupMembers: [Pair] = []
    var campaignGroups: [Int64] = []
    var campaignGroupOrigins: [Int64: Int64] = [:]
    /// Objects whose properties may change and on which nothing depends.
    var things: [(table: ProvisioningTable, dbid: Int64)] = []

    /// One for each tenant in the rows.
    static func models(of tables: [ProvisioningRows]) -> [ChangeModel] {
        var models: [String: ChangeModel] = [:]
        for rows in tables {
            let tenants = rows.values(rows.table.tenantColumn)
            for (row, tenant) in zip(rows.rows, tenants) {
                guard let tenant else { continue }
                let values = Dictionary(zip(rows.table.columns, row), uniquingKeysWith: { $1 })
                models[tenant, default: ChangeModel(tenant: tenant)].add(values, to: rows.table)
            }
        }
        return models.values.filter { !$0.groups.isEmpty && !$0.agents.isEmpty }.map { model in
            var model = model
            let first = Set(model.placeDNs.values.compactMap(\.first))
            model.spareDNs.removeAll { first.contains($0) }
            return model
        }.sorted { $0.tenant < $1.tenant }
    }

    private init(tenant: String) { self.tenant = tenant }

    private mutating func add(_ values: [String: String?], to table: ProvisioningTable) {
        func number(_ column: String) -> Int64? { values[column].flatMap { $0 }.flatMap { Int64($0) } }
        func text(_ column: String) -> String? { values[column].flatMap { $0 } }
        func pair(_ first: String, _ second: String) -> [Pair] {
            guard let first = number(first), let second = number(second) else { return [] }
            return [Pair(first: first, second: second)]
        }
        let dbid = number("dbid") ?? 0
        switch table {
        case .switch: host = dbid
        case .dn:
            allDNs.append(dbid)
            if text("type") == "27" || text("type") == "6" { spareDNs.append(dbid) }
        case .place: placeDNs[dbid] = DBIDArray.dbids(text("dn_dbids"))
        case .person:
            if number("place_dbid") == nil { others.append(dbid) } else { agents.append(dbid) }
            userNames[dbid] = text("user_name")
            employeeIDs[dbid] = text("employee_id")
        case .skill: skills.append(dbid)
        case .personSkill: personSkills += pair("person_dbid", "skill_dbid")
        case .agentGroup:
            groups.append(dbid)
            groupManagers[dbid] = DBIDArray.dbids(text("manager_dbids"))
            groupRoutes[dbid] = DBIDArray.dbids(text("route_dn_dbids"))
        case .agentGroupMember: groupMembers += pair("agent_group_dbid", "person_dbid")
        case .dnGroup: dnGroups.append(dbid)
        case .dnGroupMember: dnGroupMembers += pair("dn_group_dbid", "dn_dbid")
        case .campaignGroup:
            campaignGroups.append(dbid)
            campaignGroupOrigins[dbid] = number("orig_dn_dbid")
        case .campaign, .callingList, .treatment, .role, .folder, .transaction, .timeZone, .placeGroup:
            things.append((table, dbid))
        case .tenant, .agentLogin, .placeGroupMember: break
        }
    }
}
