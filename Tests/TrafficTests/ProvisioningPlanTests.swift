import Testing
import Traffic

@Suite("Provisioning plan: tenants and changes by seed")
struct ProvisioningPlanTests {
    private let plan = ProvisioningPlan(seed: 1, size: .init(tenants: 2, persons: 60))

    @Test("rows keep every key and constraint, in the order of insertion")
    func consistent() throws {
        var database = FakeDatabase()
        for rows in plan.tables {
            for row in rows.rows { try database.apply(.insert(rows.table, values: row)) }
        }
        for table in ProvisioningTable.allCases { #expect(database.count(table) > 0, "\(table)") }
        #expect(database.count(.tenant) == 2)
        #expect(database.count(.person) == 120)
    }

    @Test("the default is two tenants of 500 persons, the same for the same seed")
    func size() {
        let plan = ProvisioningPlan(seed: 3)
        #expect(plan.tables.first { $0.table == .person }?.rows.count == 1_000)
        #expect(plan.tables == ProvisioningPlan(seed: 3).tables)
        #expect(plan.tables != ProvisioningPlan(seed: 4).tables)
    }

    @Test("the inventory has agents at their first DN, queues and routing points")
    func inventory() throws {
        let inventories = TenantInventory.tenants(in: plan.tables)
        #expect(inventories.map(\.tenant) == [101, 102])
        for inventory in inventories {
            #expect(inventory.agents.count == 54)
            #expect(inventory.queues.count == 8)
            #expect(inventory.routingPoints.count == 4)
            #expect(inventory.agents[0].dn == "20000")
            #expect(inventory.agents[0].place == "Place_0")
        }
    }

    @Test("changes keep every key and constraint, and reach every kind", arguments: 1...3 as ClosedRange<UInt64>)
    func changes(_ seed: UInt64) throws {
        var database = FakeDatabase()
        for rows in plan.tables {
            for row in rows.rows { try database.apply(.insert(rows.table, values: row)) }
        }
        var changes = ChangePlan(seed: seed, tables: plan.tables, dbids: plan.dbids, large: .init(every: 50, rows: 200))
        var (rolledBack, moved, largest) = (0, 0, 0)
        var deleted: Set<ProvisioningTable> = []
        for number in 1...2_000 {
            let next = changes.next()
            let transaction = try #require(next)
            #expect(transaction.number == Int64(number))
            let saved = database
            for change in transaction.changes {
                do {
                    try database.apply(change)
                } catch {
                    Issue.record("seed \(seed), transaction \(number): \(error) \(change)")
                    return
                }
                if case .delete(let table, _) = change { deleted.insert(table) }
                if case .update(_, let key, _) = change, key.count == 2 { moved += 1 }
                if case .updateMany(_, let dbids, _) = change { largest = max(largest, dbids.count) }
            }
            if transaction.isRolledBack {
                rolledBack += 1
                database = saved
            }
        }
        #expect(rolledBack > 10 && moved > 100 && largest > 50)
        #expect(deleted == [.person, .personSkill, .agentGroupMember, .dn, .dnGroupMember, .skill])
    }

    @Test("no tenant, no changes")
    func nothing() {
        var changes = ChangePlan(seed: 1, tables: [], dbids: DBIDAllocator())
        #expect(changes.next() == nil)
    }

    @Test("statements as PostgreSQL takes them")
    func sql() {
        let set: [RowChange.Assignment] = [.init("skill_dbid", "8"), .init("level", nil)]
        let move = RowChange.update(.personSkill, key: ["7", "9"], set: set)
        #expect(
            move.sql(returning: ["level", "state"]).text
                == "UPDATE provisioning.person_skill SET skill_dbid = $1, level = $2 "
                + "WHERE person_dbid = $3 AND skill_dbid = $4 RETURNING level, state")
        #expect(move.sql(returning: []).parameters == ["8", nil, "7", "9"])
        let insert = RowChange.insert(.agentGroupMember, values: ["1", "2", "3"])
        #expect(
            insert.sql(returning: ["tenant_dbid"]).text == "INSERT INTO provisioning.agent_group_member "
                + "(tenant_dbid, agent_group_dbid, person_dbid) VALUES ($1, $2, $3) RETURNING tenant_dbid")
        let many = RowChange.updateMany(.person, dbids: [1, 2], set: [.init("email", nil)])
        #expect(many.sql(returning: []).text == "UPDATE provisioning.person SET email = $1 WHERE dbid = ANY($2)")
        #expect(many.sql(returning: []).parameters == [nil, "{1,2}"])
        #expect(
            RowChange.delete(.dn, key: ["5"]).sql(returning: ["dbid"]).text
                == "DELETE FROM provisioning.dn WHERE dbid = $1 RETURNING dbid")
    }

    @Test("touched objects are what the database returned: last word, old keys deleted")
    func touched() {
        var touched = TouchedObjects()
        let columns = ["dbid", "tenant_dbid", "email"]
        let rename = RowChange.update(.person, key: ["7"], set: [.init("email", "x")])
        touched.ran(rename, columns: columns, rows: [["7", "101", "y"]])
        touched.ran(rename, columns: columns, rows: [["7", "101", "x"]])
        touched.ran(
            .update(.personSkill, key: ["7", "9"], set: [.init("skill_dbid", "8")]),
            columns: ["tenant_dbid", "person_dbid", "skill_dbid"], rows: [["101", "7", "8"]])
        touched.ran(.delete(.dn, key: ["5"]), columns: ["dbid", "tenant_dbid"], rows: [["5", "101"]])
        func name(_ type: String, _ key: String) -> ObjectKey { ObjectKey(tenant: "101", type: type, key: key) }
        let names = [name("person", "7"), name("person_skill", "7,9"), name("person_skill", "7,8"), name("dn", "5")]
        #expect(touched.touched.map(\.name) == names)
        let person = PayloadDigest.object([("email", "x"), ("dbid", "7"), ("place_dbid", nil), ("tenant_dbid", "101")])
        #expect(touched.touched[0].digest == person)
        #expect(touched.touched.map { $0.digest == nil } == [false, true, false, true])
    }
}
