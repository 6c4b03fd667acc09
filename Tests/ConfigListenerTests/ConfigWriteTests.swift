import Projection
import Provisioning
import RESP
import RESPServer
import Testing

@testable import ConfigListener

@Suite("Writes to a real PostgreSQL", SharedDatabase())
struct ConfigWriteTests {
    private let database: WritingDatabase

    init() throws { database = try #require(SharedDatabase.current) }

    @Test("make objects, change the named fields alone, and set NULL; what is never read back can be written")
    func put() async throws {
        let tenant = try await database.tenant("put")
        let person = try await database.id(
            "CFG.PUT \(tenant) person NEW user_name put-alice employee_id e1 first_name Ada password_hash canary")
        let row = """
            SELECT concat_ws(' ', first_name, last_name, password_hash, password_changed_at IS NULL)
            FROM provisioning.person WHERE dbid = \(person)
            """
        #expect(try await database.texts(row) == ["Ada canary f"])
        let reply = try await database.say("CFG.PUT \(tenant) person \(person) last_name Lovelace NULL first_name")
        #expect(reply.id == person && WriteToken(reply.token ?? "") != nil && reply.value("removed") == nil)
        #expect(try await database.texts(row) == ["Lovelace canary f"])
        let place = try await database.id("CFG.PUT \(tenant) place NEW name p dn_dbids []")
        let number = try await database.id("CFG.PUT \(tenant) switch NEW name s")
        let dn = try await database.id("CFG.PUT \(tenant) dn NEW switch_dbid \(number) type 1 number 7001")
        for (text, result) in [("[\(dn)]", "{\(dn)}"), ("{}", "{}"), ("{\(dn)}", "{\(dn)}")] {
            #expect(try await database.id("CFG.PUT \(tenant) place \(place) dn_dbids \(text)") == place)
            let stored = "SELECT dn_dbids FROM provisioning.place WHERE dbid = \(place)"
            #expect(try await database.texts(stored) == [result])
        }
    }

    @Test("of links go by the ID that their columns make")
    func links() async throws {
        let tenant = try await database.tenant("links")
        let person = try await database.id("CFG.PUT \(tenant) person NEW user_name links employee_id e1")
        let skill = try await database.id("CFG.PUT \(tenant) skill NEW name English")
        let link = "CFG.PUT \(tenant) person_skill \(person),\(skill)"
        let level = "SELECT level FROM provisioning.person_skill WHERE person_dbid = \(person)"
        #expect(try await database.id(link) == "\(person),\(skill)")
        #expect(try await database.texts(level) == ["0"])
        #expect(try await database.id("\(link) level 5") == "\(person),\(skill)")
        #expect(try await database.id(link) == "\(person),\(skill)")
        #expect(try await database.texts(level) == ["5"])
        let unknown = try await database.say("CFG.PUT \(tenant) person_skill \(person),999999 level 1")
        #expect(unknown.refusal == "NOTFOUND skill_dbid: names an object that is not there")
        let removed = try await database.say("CFG.DEL \(tenant) person_skill \(person),\(skill)")
        #expect(removed.value("removed") == .integer(1) && removed.id == "\(person),\(skill)")
        #expect(try await database.say("\(link) level 5 IF 1").refusal == "NOTFOUND no such object")
    }

    @Test("that PostgreSQL refuses name the field, and another tenant's objects are none")
    func refusals() async throws {
        let tenant = try await database.tenant("refusals")
        let other = try await database.tenant("refusals of another")
        let exchange = try await database.id("CFG.PUT \(tenant) switch NEW name sw")
        let dn = try await database.id("CFG.PUT \(tenant) dn NEW switch_dbid \(exchange) type 1 number 7001")
        let place = try await database.id("CFG.PUT \(tenant) place NEW name p dn_dbids {\(dn)}")
        let person = try await database.id("CFG.PUT \(tenant) person NEW user_name refusals employee_id e1")
        let skill = try await database.id("CFG.PUT \(tenant) skill NEW name English")
        let taken = "another object has this value already"
        let absent = "names an object that is not there"
        let expected = [
            ("\(tenant) skill NEW name English", "CONFLICT name: \(taken)"),
            ("\(other) person NEW user_name refusals employee_id e", "CONFLICT user_name: \(taken)"),
            ("\(tenant) person NEW user_name refusals2 employee_id e1", "CONFLICT employee_id: \(taken)"),
            ("\(tenant) dn NEW switch_dbid \(exchange) type 1 number 7001", "CONFLICT switch_dbid, number: \(taken)"),
            ("\(tenant) place NEW name q dn_dbids {\(dn)}", "CONFLICT dn_dbids: \(taken)"),
            ("\(tenant) person \(person) place_dbid 999999", "NOTFOUND place_dbid: \(absent)"),
            ("\(other) dn NEW switch_dbid \(exchange) type 1 number 1", "NOTFOUND switch_dbid: \(absent)"),
            ("\(tenant) place \(place) dn_dbids {999999}", "NOTFOUND dn_dbids: \(absent)"),
            ("\(tenant) skill \(skill) NULL name", "ERR name: must have a value"),
            ("\(tenant) skill NEW", "ERR name: must have a value"),
            (
                "\(tenant) skill NEW name \(String(repeating: "n", count: 256))",
                "ERR name: value not allowed (skill_name_check)"
            ),
            ("\(tenant) skill \(skill) state 4", "ERR state: value not allowed (skill_state_check)"),
            ("\(tenant) dn \(dn) number 9", "CONFLICT number: cannot change after creation"),
            ("\(tenant) person \(person) is_agent true", "CONFLICT is_agent: cannot change after creation"),
            ("1 tenant 1 name x", "CONFLICT tenant 1, Environment: cannot change after creation"),
            ("\(tenant) skill \(skill) nam x", "ERR skill has no field nam; it has: name, state, user_properties"),
            ("\(tenant) skill \(skill) dbid 5", "ERR dbid: the database says what it is"),
            ("\(tenant) skill \(skill) tenant_dbid 5", "ERR tenant_dbid: the tenant says what it is"),
            ("\(other) skill \(skill) name x", "NOTFOUND no such object"),
            ("\(tenant) skill 999999 name x", "NOTFOUND no such object"),
            ("\(tenant) skill abc name x", "NOTFOUND no such object"),
            ("\(tenant) skill \(skill)", "ERR wrong number of arguments for 'cfg.put' command"),
        ]
        for (words, error) in expected {
            #expect(try await database.say("CFG.PUT " + words).refusal == error, "\(words)")
        }
        let malformed = [
            "person \(person) capacity_rule_dbid x", "skill \(skill) state 99999", "dn \(dn) login_flag maybe",
        ]
        for words in malformed {
            let field = words.split(separator: " ")[2]
            let refusal = try await database.say("CFG.PUT \(tenant) \(words)").refusal
            #expect(refusal.hasPrefix("ERR \(field): "), "\(words): \(refusal)")
        }
        let json = try await database.say("CFG.PUT \(tenant) skill \(skill) name good user_properties {")
        #expect(json.refusal.hasPrefix("ERR user_properties: "), "\(json)")
        let properties = try await database.say(#"CFG.PUT \#(tenant) skill \#(skill) user_properties {"a":1}"#)
        #expect(properties.refusal.hasPrefix("ERR user_properties: value not allowed"), "\(properties)")
        #expect(try await database.say("CFG.DEL \(other) skill \(skill)").refusal == "NOTFOUND no such object")
        #expect(try await database.say("CFG.PUT \(tenant) skil 1 name x").refusal.hasPrefix("ERR no type skil; there"))
    }

    @Test("of tenants need an account that sees all of them; others are named by nobody who does not")
    func tenants() async throws {
        let own = try await database.tenant("own")
        let other = try await database.tenant("hidden")
        let account = Account.of(own)
        let refused = try await database.say("CFG.PUT \(own) tenant NEW name mine", as: account)
        #expect(refused.refusal.hasPrefix("NOPERM "))
        #expect(try await database.say("CFG.DEL \(own) tenant \(own)", as: account).refusal.hasPrefix("NOPERM "))
        let absent = "NOTFOUND parent_tenant_dbid: names an object that is not there"
        for parent in [other, "999999", "x"] {
            let reply = try await database.say("CFG.PUT \(own) tenant \(own) parent_tenant_dbid \(parent)", as: account)
            #expect(reply.refusal == absent, "\(parent)")
        }
        let elsewhere = try await database.say("CFG.PUT \(own) tenant \(other) charge_number 1")
        #expect(elsewhere.refusal == "NOTFOUND no such object")
        #expect(try await database.say("CFG.PUT \(own) tenant \(own) charge_number 5", as: account).id == own)
        #expect(try await database.say("CFG.PUT \(other) skill NEW name x", as: account).refusal.hasPrefix("NOTENANT "))
        let new = try await database.id("CFG.PUT 1 tenant NEW name made parent_tenant_dbid \(own)")
        let parent = "SELECT parent_tenant_dbid FROM provisioning.tenant WHERE dbid = \(new)"
        #expect(try await database.texts(parent) == [own])
        let parental = try await database.say("CFG.DEL \(own) tenant \(own)")
        #expect(parental.refusal == "CONFLICT tenant: refers to this tenant still")
        #expect(try await database.say("CFG.DEL \(new) tenant \(new)").value("removed") == .integer(1))
    }

    @Test("IF a version: made only where the object is as it was read")
    func versions() async throws {
        let tenant = try await database.tenant("versions")
        let skill = try await database.id("CFG.PUT \(tenant) skill NEW name a")
        let columns = ["dbid", "tenant_dbid", "name", "state", "user_properties"]
        let digest = ObjectDigest.sql(key: ["dbid"], columns: columns)
        let versions = try await database.texts("SELECT \(digest) FROM provisioning.skill WHERE dbid = \(skill)")
        let version = try #require(versions.first)
        #expect(try await database.id("CFG.PUT \(tenant) skill \(skill) name b IF \(version)") == skill)
        for command in ["CFG.PUT \(tenant) skill \(skill) name c", "CFG.DEL \(tenant) skill \(skill)"] {
            let refusal = try await database.say("\(command) IF \(version)").refusal
            #expect(refusal == "CONFLICT the object is not of version \(version)")
        }
        // As it was again: it is the content that counts.
        #expect(try await database.id("CFG.PUT \(tenant) skill \(skill) name a") == skill)
        #expect(
            try await database.say("CFG.DEL \(tenant) skill \(skill) IF \(version)").value("removed") == .integer(1))
        #expect(try await database.say("CFG.DEL \(tenant) skill \(skill)").refusal == "NOTFOUND no such object")
    }

    @Test("IF a version: it is that of an object with a column, too, that was added after the first write")
    func versionOfNewColumn() async throws {
        // Which asks for the schema itself.
        let port = database.projecting(ProvisioningProgress())
        let tenant = try await database.tenant("grown")
        let group = try await port.id("CFG.PUT \(tenant) dn_group NEW name a")
        _ = try await database.texts("ALTER TABLE provisioning.dn_group ADD COLUMN colour text")
        _ = try await database.texts("UPDATE provisioning.dn_group SET colour = 'red' WHERE dbid = \(group)")
        let columns = ["dbid", "tenant_dbid", "name", "state", "user_properties", "colour"]
        let digest = ObjectDigest.sql(key: ["dbid"], columns: columns)
        let versions = try await database.texts("SELECT \(digest) FROM provisioning.dn_group WHERE dbid = \(group)")
        let version = try #require(versions.first)
        // What is known of tables is asked for again once a second at most.
        try await database.eventually {
            try await port.say("CFG.PUT \(tenant) dn_group \(group) name b IF \(version)").id == group
        }
    }

    @Test("together are all made or none, and have one token")
    func together() async throws {
        let tenant = try await database.tenant("together")
        let reply = try await database.sayTogether([
            "CFG.PUT \(tenant) skill NEW name a", "CFG.PUT \(tenant) skill NEW name b",
        ])
        guard case .array(let replies) = reply, replies.count == 2 else {
            Issue.record("\(reply)")
            return
        }
        #expect(replies[0].token != nil && replies[0].token == replies[1].token)
        let first = try #require(replies[0].id)
        let names = "SELECT string_agg(name, ' ' ORDER BY name) FROM provisioning.skill WHERE tenant_dbid = \(tenant)"
        for (middle, error) in [
            ("CFG.PUT \(tenant) skill NEW name b", "CONFLICT command 2: name: another object has this value already"),
            ("CFG.DEL \(tenant) skill 999999", "NOTFOUND command 2: no such object"),
            ("CFG.PUT \(tenant) skill NEW name", "ERR command 2: syntax error"),
        ] {
            let reply = try await database.sayTogether([
                "CFG.PUT \(tenant) skill \(first) name c", middle, "CFG.PUT \(tenant) skill NEW name d",
            ])
            #expect(reply.refusal == error)
            #expect(try await database.texts(names) == ["a b"])
        }
        let swapped = try await database.sayTogether([
            "CFG.DEL \(tenant) skill \(first)", "CFG.PUT \(tenant) skill NEW name a",
        ])
        #expect(!swapped.isError, "\(swapped)")
        #expect(try await database.texts(names) == ["a b"])
    }

    @Test("made at the same time of objects that are not there yet find each other")
    func overtaking() async throws {
        let tenant = try await database.tenant("overtaking")
        let person = try await database.id("CFG.PUT \(tenant) person NEW user_name overtaking employee_id e1")
        for number in 0..<10 {
            let skill = try await database.id("CFG.PUT \(tenant) skill NEW name s\(number)")
            let replies = try await withThrowingTaskGroup(of: Reply.self) { group in
                for level in 1...4 {
                    group.addTask { [database] in
                        try await database.say("CFG.PUT \(tenant) person_skill \(person),\(skill) level \(level)")
                    }
                }
                return try await group.reduce(into: [Reply]()) { $0.append($1) }
            }
            #expect(replies.allSatisfy { $0.id == "\(person),\(skill)" }, "\(replies)")
        }
    }

    @Test("take a column that was added while they run")
    func newColumn() async throws {
        let tenant = try await database.tenant("columns")
        let role = try await database.id("CFG.PUT \(tenant) role NEW name r")
        #expect(
            try await database.say("CFG.PUT \(tenant) role \(role) colour red").refusal.hasPrefix("ERR role has no"))
        _ = try await database.texts("ALTER TABLE provisioning.role ADD COLUMN colour varchar(4)")
        // What is known of tables is asked for again once a second at most.
        try await database.eventually {
            try await database.say("CFG.PUT \(tenant) role \(role) colour red").id == role
        }
        let long = try await database.say("CFG.PUT \(tenant) role \(role) description fits colour green")
        #expect(long.refusal.hasPrefix("ERR colour: "), "\(long)")
    }
}
