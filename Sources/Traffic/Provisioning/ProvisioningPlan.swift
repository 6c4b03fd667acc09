/// Plausible tenants as rows, by seed: persons at places with DNs, skills, groups, campaigns.
package struct ProvisioningPlan: Sendable {
    /// How much of everything.
    package struct Size: Hashable, Sendable {
        package var tenants: Int
        /// A tenant's; nine of ten are agents at a place of their own.
        package var persons: Int

        package init(tenants: Int = 2, persons: Int = 500) {
            self.tenants = tenants
            self.persons = persons
        }
    }

    /// Every table, in the order of insertion.
    package let tables: [ProvisioningRows]
    /// What was not given out yet.
    package let dbids: DBIDAllocator

    /// `prefix` is put before tenants' and persons' names, which are unique in the whole database; give another one for
    /// another set of tenants.
    package init(seed: UInt64, size: Size = Size(), prefix: String = "", dbids: DBIDAllocator = DBIDAllocator()) {
        self.init(seed: seed, tenants: 0..<size.tenants, persons: size.persons, prefix: prefix, dbids: dbids)
    }

    /// A part of a set: the tenants with these numbers, each the same whether planned alone or with the others but for
    /// its dbids.
    package init(seed: UInt64, tenants: Range<Int>, persons: Int, prefix: String, dbids: DBIDAllocator) {
        var writer = TenantWriter(seed: seed, prefix: prefix, dbids: dbids)
        for number in tenants { writer.addTenant(number, persons: persons) }
        tables = ProvisioningTable.allCases.map { writer.rows[$0] ?? ProvisioningRows($0) }
        self.dbids = writer.dbids
    }

    /// What tenant `number` (from 0) is called.
    package static func tenantName(_ number: Int, prefix: String) -> String {
        let known = NameLists.tenants
        let round = number / known.count
        return prefix + known[number % known.count] + (round == 0 ? "" : "_\(round + 1)")
    }

    /// Rows in all tables.
    package var rowCount: Int { tables.reduce(0) { $0 + $1.rows.count } }
}

/// Writes the rows of one tenant after the other.
private struct TenantWriter {
    private(set) var rows: [ProvisioningTable: ProvisioningRows] = [:]
    private(set) var dbids: DBIDAllocator
    private let seed: UInt64
    private var random: SplitMix64
    private let prefix: String

    init(seed: UInt64, prefix: String, dbids: DBIDAllocator) {
        self.seed = seed
        random = SplitMix64(seed: seed)
        self.prefix = prefix
        self.dbids = dbids
    }

    mutating func addTenant(_ number: Int, persons: Int) {
        random = SplitMix64(seed: seed &+ UInt64(truncatingIfNeeded: number))
        let dbid = dbids.take(.tenant)
        let tenant = String(dbid)
        let name = ProvisioningPlan.tenantName(number, prefix: prefix)
        add(.tenant, tenant, name, "0", "CN-\(dbid)", "1", #"{"general": {"region": "home"}}"#)
        _ = addNamed(.timeZone, tenant, ["UTC", "America/New_York", "Europe/Berlin"])
        let host = addNamed(.switch, tenant, ["SIP_Switch"], "1", "1")[0]
        let points = addDNs(tenant, host)
        let skills = addNamed(.skill, tenant, NameLists.skills)
        let people = addPersons(persons, tenant, host, skills)
        let groups = addGroups(tenant, people, points)
        addOthers(tenant, groups, points)
    }

    /// Queues, routing points and others that belong to no place; gives the routing points.
    private mutating func addDNs(_ tenant: String, _ host: Int64) -> [Int64] {
        var points: [Int64] = []
        for number in 0..<8 { _ = addDN(tenant, host, type: 3, "\(9001 + number)", "Queue_\(number + 1)") }
        for number in 0..<4 { points.append(addDN(tenant, host, type: 4, "\(9101 + number)", "Route_\(number + 1)")) }
        let trunk = addDN(tenant, host, type: 14, "9201", "Trunk_1")
        let group = addNamed(.dnGroup, tenant, ["Entry_Points"])[0]
        for dn in points + [trunk] { add(.dnGroupMember, tenant, String(group), String(dn)) }
        return points
    }

    private mutating func addDN(
        _ tenant: String, _ host: Int64, type: Int, _ number: String, _ name: String
    ) -> Int64 {
        let dbid = dbids.take(.dn)
        add(.dn, String(dbid), tenant, String(host), String(type), number, name, "1", type == 1 ? "1" : "0", "1")
        return dbid
    }

    private mutating func addPersons(
        _ count: Int, _ tenant: String, _ host: Int64, _ skills: [Int64]
    ) -> (agents: [Int64], others: [Int64], places: [Int64]) {
        var (agents, others, places): ([Int64], [Int64], [Int64]) = ([], [], [])
        for number in 0..<count {
            let isAgent = number % 10 != 9
            var place: String?
            if isAgent {
                let voice = addDN(tenant, host, type: 1, "\(20_000 + number)", "Ext_\(20_000 + number)")
                let chat = addDN(tenant, host, type: 27, "chat_\(number)", "Chat_\(number)")
                let dbid = dbids.take(.place)
                let dns = DBIDArray.text([voice, chat])
                add(.place, String(dbid), tenant, "Place_\(number)", "1", "{}", dns)
                place = String(dbid)
                places.append(dbid)
                let login = String(dbids.take(.agentLogin))
                add(.agentLogin, login, tenant, String(host), "L\(tenant)-\(number)", "\(random.below(4) * 10)", "1")
            }
            let dbid = dbids.take(.person)
            let person = PersonName(&random)
            add(
                .person, String(dbid), tenant, "\(prefix)\(person.user)_\(dbid)", "A\(tenant)-\(number)", person.first,
                person.last, random.chance(percent: 90) ? "\(person.user)@example.com" : nil, isAgent ? "1" : "0",
                place,
                "1", #"{"general": {"shift": "\#(random.below(3))"}}"#)
            if isAgent { agents.append(dbid) } else { others.append(dbid) }
            guard isAgent else { continue }
            var known = skills
            for _ in 0..<(1 + random.below(3)) {
                let skill = known.swapRemove(random.below(known.count))
                add(.personSkill, tenant, String(dbid), String(skill), String(1 + random.below(10)))
            }
        }
        return (agents, others, places)
    }

    private mutating func addGroups(
        _ tenant: String, _ people: (agents: [Int64], others: [Int64], places: [Int64]), _ points: [Int64]
    ) -> [Int64] {
        var groups: [Int64] = []
        for name in NameLists.groups {
            let dbid = dbids.take(.agentGroup)
            let managers = DBIDArray.text(random.pick(people.others).map { [$0] } ?? [])
            let routes = DBIDArray.text(random.pick(points).map { [$0] } ?? [])
            add(.agentGroup, String(dbid), tenant, name, "1", "{}", managers, routes)
            groups.append(dbid)
        }
        for (index, agent) in people.agents.enumerated() {
            add(.agentGroupMember, tenant, String(groups[index % groups.count]), String(agent))
        }
        let floors = addNamed(.placeGroup, tenant, ["Floor_1", "Floor_2", "Floor_3"])
        for (index, place) in people.places.enumerated() {
            add(.placeGroupMember, tenant, String(floors[index % floors.count]), String(place))
        }
        return groups
    }

    private mutating func addOthers(_ tenant: String, _ groups: [Int64], _ points: [Int64]) {
        for (number, name) in NameLists.campaigns.enumerated() {
            let campaign = addNamed(.campaign, tenant, [name], "Calls of \(name)")[0]
            let dbid = String(dbids.take(.campaignGroup))
            let group = String(groups[number % groups.count])
            let mode = random.pick(["1", "2", "3"]) ?? "1"
            let point = random.pick(points).map { String($0) }
            add(.campaignGroup, dbid, tenant, name, "1", "{}", String(campaign), group, mode, "1", "10", point)
            _ = addNamed(.callingList, tenant, ["\(name)_List"], "28800", "64800", "10", "cl_\(tenant)_\(campaign)")
        }
        for (name, result) in NameLists.treatments {
            _ = addNamed(.treatment, tenant, [name], String(result), "1", "3", "600")
        }
        _ = addNamed(.role, tenant, ["Administrator", "Supervisor", "Agent"])
        _ = addNamed(.folder, tenant, ["Persons", "Agents", "Places"])
        _ = addNamed(.transaction, tenant, ["Business_Hours", "Greeting"])
    }

    /// Rows that begin with a dbid, the tenant, a name, the state and properties.
    private mutating func addNamed(
        _ table: ProvisioningTable, _ tenant: String, _ names: [String], _ rest: String?...
    ) -> [Int64] {
        names.map { name in
            let dbid = dbids.take(table)
            rows[table, default: ProvisioningRows(table)].rows.append([String(dbid), tenant, name, "1", "{}"] + rest)
            return dbid
        }
    }

    private mutating func add(_ table: ProvisioningTable, _ values: String?...) {
        precondition(values.count == table.columns.count, "\(values.count) values for \(table)")
        rows[table, default: ProvisioningRows(table)].rows.append(values)
    }
}
