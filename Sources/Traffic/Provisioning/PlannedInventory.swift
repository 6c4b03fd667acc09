extension TenantInventory {
    /// The inventories of every tenant in these rows: agents with the first DN of their place, ACD queues, routing
    /// points. Tables that are not given count as empty.
    package static func tenants(in tables: [ProvisioningRows]) -> [TenantInventory] {
        let rows = Dictionary(tables.map { ($0.table, $0) }, uniquingKeysWith: { $1 })
        func columns(_ table: ProvisioningTable, _ names: String...) -> [[String?]] {
            let values = names.map { rows[table]?.values($0) ?? [] }
            return (0..<(values.first?.count ?? 0)).map { row in values.map { $0[row] } }
        }
        var numbers: [Int64: String] = [:]
        var byType: [String: [String: [String]]] = [:]
        for row in columns(.dn, "dbid", "number", "tenant_dbid", "type") {
            guard let dbid = row[0].flatMap({ Int64($0) }), let number = row[1], let tenant = row[2], let type = row[3]
            else { continue }
            numbers[dbid] = number
            byType[tenant, default: [:]][type, default: []].append(number)
        }
        var places: [String: (name: String, dn: String)] = [:]
        for row in columns(.place, "dbid", "name", "dn_dbids") {
            guard let dbid = row[0], let name = row[1],
                let dn = DBIDArray.dbids(row[2]).first.flatMap({ numbers[$0] })
            else { continue }
            places[dbid] = (name, dn)
        }
        var agents: [String: [Agent]] = [:]
        for row in columns(.person, "tenant_dbid", "employee_id", "is_agent", "place_dbid") {
            guard let tenant = row[0], let id = row[1], row[2] == "1" || row[2] == "t",
                let place = row[3].flatMap({ places[$0] })
            else { continue }
            agents[tenant, default: []].append(Agent(id: id, dn: place.dn, place: place.name))
        }
        return (rows[.tenant]?.dbids("dbid") ?? []).sorted().map { tenant in
            let dns = byType[String(tenant)] ?? [:]
            return TenantInventory(
                tenant: tenant, agents: agents[String(tenant)] ?? [], queues: dns["3"] ?? [],
                routingPoints: dns["4"] ?? [])
        }
    }
}
