import RESP
import Testing

@testable import ConfigListener

@Suite("Deleting objects that others depend on", SharedDatabase())
struct DeletionTests {
    private let database: WritingDatabase

    init() throws { database = try #require(SharedDatabase.current) }

    /// What one tenant has: a switch, two DNs, a place, two persons and whatever refers to them.
    private struct Objects {
        let tenant: String
        let exchange, dn, otherDN, place, person, skill, group, placeGroup, dnGroup, campaign, campaignGroup: String
    }

    private func objects(_ name: String) async throws -> Objects {
        let tenant = try await database.tenant(name)
        func put(_ words: String) async throws -> String { try await database.id("CFG.PUT \(tenant) " + words) }
        let exchange = try await put("switch NEW name sw")
        let dn = try await put("dn NEW switch_dbid \(exchange) type 4 number 7001")
        let otherDN = try await put("dn NEW switch_dbid \(exchange) type 4 number 7002")
        let place = try await put("place NEW name p dn_dbids {\(dn),\(otherDN)}")
        let person = try await put("person NEW user_name \(name) employee_id e1 place_dbid \(place)")
        let skill = try await put("skill NEW name English")
        let group = try await put("agent_group NEW name g manager_dbids {\(person)} route_dn_dbids {\(otherDN),\(dn)}")
        let placeGroup = try await put("place_group NEW name g")
        let dnGroup = try await put("dn_group NEW name g")
        let campaign = try await put("campaign NEW name c")
        let campaignGroup = try await put(
            "campaign_group NEW name cg campaign_dbid \(campaign) group_dbid \(group) orig_dn_dbid \(dn)")
        _ = try await put("person_skill \(person),\(skill) level 3")
        _ = try await put("agent_group_member \(group),\(person)")
        _ = try await put("place_group_member \(placeGroup),\(place)")
        _ = try await put("dn_group_member \(dnGroup),\(dn)")
        return Objects(
            tenant: tenant, exchange: exchange, dn: dn, otherDN: otherDN, place: place, person: person, skill: skill,
            group: group, placeGroup: placeGroup, dnGroup: dnGroup, campaign: campaign, campaignGroup: campaignGroup)
    }

    /// Deletes an object, and answers what capture sees of the tenant: table and kind of each change, in order.
    private func delete(_ type: String, _ id: String, of tenant: String) async throws -> [String] {
        let slot = "deletion_\(tenant)"
        _ = try await database.texts("SELECT pg_create_logical_replication_slot('\(slot)', 'test_decoding')")
        let reply = try await database.say("CFG.DEL \(tenant) \(type) \(id)")
        #expect(reply.id == id, "\(reply)")
        let lines = try await database.texts("SELECT data FROM pg_logical_slot_get_changes('\(slot)', NULL, NULL)")
        _ = try await database.texts("SELECT pg_drop_replication_slot('\(slot)')")
        let changes = lines.filter { $0.contains("tenant_dbid[bigint]:\(tenant)") && !$0.contains(".place_dn:") }
        let seen = changes.compactMap { line in
            line.wholeMatch(of: /table provisioning\.(\w+): (\w+): .*/).map { "\($0.1) \($0.2)" }
        }
        #expect(reply.value("removed") == .integer(Int64(seen.count)), "\(reply) \(seen)")
        return seen
    }

    @Test("a person leaves groups and loses skills first")
    func person() async throws {
        let objects = try await objects("person-goes")
        let seen = try await delete("person", objects.person, of: objects.tenant)
        #expect(seen == ["agent_group_member DELETE", "agent_group UPDATE", "person_skill DELETE", "person DELETE"])
        let managers = "SELECT manager_dbids FROM provisioning.agent_group WHERE dbid = \(objects.group)"
        #expect(try await database.texts(managers) == ["{}"])
    }

    @Test("a DN leaves its place, groups and campaign groups first")
    func dn() async throws {
        let objects = try await objects("dn-goes")
        let seen = try await delete("dn", objects.dn, of: objects.tenant)
        #expect(
            seen == [
                "place UPDATE", "dn_group_member DELETE", "campaign_group UPDATE", "agent_group UPDATE", "dn DELETE",
            ])
        let left = """
            SELECT concat_ws(' ', dn_dbids, route_dn_dbids, orig_dn_dbid)
            FROM provisioning.place, provisioning.agent_group, provisioning.campaign_group
            WHERE place.dbid = \(objects.place) AND agent_group.dbid = \(objects.group)
                AND campaign_group.dbid = \(objects.campaignGroup)
            """
        #expect(try await database.texts(left) == ["{\(objects.otherDN)} {\(objects.otherDN)}"])
    }

    @Test("a skill, an agent group, a place, groups and a campaign free what refers to them first")
    func others() async throws {
        let objects = try await objects("others-go")
        let expected = [
            ("skill", objects.skill, ["person_skill DELETE", "skill DELETE"]),
            (
                "agent_group", objects.group,
                ["agent_group_member DELETE", "campaign_group UPDATE", "agent_group DELETE"]
            ),
            ("place", objects.place, ["person UPDATE", "place_group_member DELETE", "place DELETE"]),
            ("place_group", objects.placeGroup, ["place_group DELETE"]),
            ("dn_group", objects.dnGroup, ["dn_group_member DELETE", "dn_group DELETE"]),
            ("campaign", objects.campaign, ["campaign_group DELETE", "campaign DELETE"]),
        ]
        for (type, id, changes) in expected {
            #expect(try await delete(type, id, of: objects.tenant) == changes, "\(type)")
        }
        // All places are gone, and with them what kept the DNs in one.
        #expect(try await delete("dn", objects.dn, of: objects.tenant) == ["dn DELETE"])
    }

    @Test("switches, folders and tenants with content stay")
    func content() async throws {
        let objects = try await objects("content-stays")
        let tenant = objects.tenant
        #expect(
            try await database.say("CFG.DEL \(tenant) switch \(objects.exchange)").refusal
                == "CONFLICT dn: refers to this switch still")
        let folder = try await database.id("CFG.PUT \(tenant) folder NEW name outer")
        let inner = try await database.id("CFG.PUT \(tenant) folder NEW name inner parent_folder_dbid \(folder)")
        #expect(
            try await database.say("CFG.DEL \(tenant) folder \(folder)").refusal
                == "CONFLICT folder: refers to this folder still")
        #expect(try await database.say("CFG.DEL \(tenant) folder \(inner)").value("removed") == .integer(1))
        #expect(try await database.say("CFG.DEL \(tenant) tenant \(tenant)").refusal.hasPrefix("CONFLICT "))
        let count = "SELECT count(*) FROM provisioning.dn WHERE tenant_dbid = \(tenant)"
        #expect(try await database.texts(count) == ["2"])
    }

    @Test("what cannot go leaves its dependants as they were")
    func wholeOrNothing() async throws {
        let objects = try await objects("all-or-nothing")
        let reply = try await database.sayTogether([
            "CFG.DEL \(objects.tenant) person \(objects.person)",
            "CFG.DEL \(objects.tenant) switch \(objects.exchange)",
        ])
        #expect(reply.refusal == "CONFLICT command 2: dn: refers to this switch still")
        let skills = "SELECT count(*) FROM provisioning.person_skill WHERE person_dbid = \(objects.person)"
        #expect(try await database.texts(skills) == ["1"])
    }
}
