import Crypto
import Foundation
import Journal
import NIOCore
import Observability
import PostgresClient
import RESP
import RedisClient
import ServerFixtures
import Testing

/// A worker's ports in front of two tenants: 101, and 102, whose data have the word `canary` in them.
final class IsolatedTenants {
    /// What stands for a word in braces.
    typealias Names = [String: String]

    let region: WorkerRegion
    private let ports: [IsolationCase.Port: Int]

    /// What 102 has.
    private(set) var foreign: Names = [:]
    /// The same of nobody.
    private(set) var absent: Names = [:]
    /// Stay connected.
    private var others: [TextClient] = []

    /// Accounts by name, which is their secret, too: tenants and permissions.
    private static let accounts = [
        "all": ("all", "read, write, control"), "own": ("101", "read, write, control"),
        "mate": ("101", "read, write, control"), "read": ("101", "read"), "write": ("101", "write"),
        "control": ("101", "control"),
    ]

    private static let tables = [
        "switch", "dn", "place", "place_dn", "person", "skill", "person_skill", "agent_login", "agent_group",
        "agent_group_member", "campaign", "campaign_group",
    ]

    static func with(_ body: (IsolatedTenants) async throws -> Void) async throws {
        try await WorkerRegion.with { region in
            let ports = [IsolationCase.Port.config: try freePort(), .voice: try freePort()]
            var environment = region.environment
            for (port, number) in ports {
                environment["REGIONSYNC_LISTENERS_\(port.rawValue.uppercased())_PORT"] = "\(number)"
            }
            let file = region.folder.appending(path: "accounts.yaml")
            try Data(accountFile.utf8).write(to: file)
            environment["REGIONSYNC_LISTENERS_ACCOUNTS_FILE"] = file.path
            // What it keeps of a tenant is to rest.
            environment["REGIONSYNC_VERIFICATION_DELAY"] = "10h"
            let worker = try WorkerProcess(
                "isolation", region: WorkerRegion.file, environment: environment, folder: region.folder)
            defer { worker.kill() }
            try await region.until("the ports are open") {
                let states = await worker.status()?.components ?? []
                return IsolationCase.Port.allCases.allSatisfy { port in
                    states.contains { $0.component == "listener \(port.rawValue)" && $0.state.name == "listening" }
                }
            }
            let tenants = IsolatedTenants(region, ports)
            try await tenants.fill()
            try await body(tenants)
        }
    }

    private init(_ region: WorkerRegion, _ ports: [IsolationCase.Port: Int]) {
        self.region = region
        self.ports = ports
    }

    private static var accountFile: String {
        let entries = accounts.map { name, rights in
            let hash = SHA256.hash(data: Data(name.utf8)).map { String(format: "%02x", $0) }.joined()
            let (tenants, permissions) = rights
            return "{name: \(name), secretHashes: ['#\(hash)'], tenants: [\(tenants)], permissions: [\(permissions)]}"
        }
        return (["accounts:"] + entries.map { "  - \($0)" }).joined(separator: "\n")
    }

    /// A client that speaks RESP3 and has logged in.
    func client(_ port: IsolationCase.Port, as account: String) async throws -> TextClient {
        let client = try TextClient(port: try #require(ports[port]))
        let greeting = try await client.say("HELLO 3 AUTH \(account) \(account)")
        try #require(greeting.contains("proto"), "\(greeting)")
        return client
    }

    // MARK: What is there

    private func fill() async throws {
        try await region.sql("INSERT INTO provisioning.tenant (name) VALUES ('CanaryInc')")
        try await region.sql(
            """
            INSERT INTO provisioning.skill (tenant_dbid, name)
                SELECT 102, 'canary-skill-' || n FROM generate_series(1, 600) AS n
            """)
        foreign = ["dbid": "102", "name": "CanaryInc", "user": "canary-ada", "group": "teamdesk", "consumer": "anna-b"]
        absent = [
            "dbid": "999", "name": "Nowhere", "user": "ada", "group": "nobodys", "consumer": "nobody",
            "watch": "77", "entry": "1-1", "call": "c0", "agent": "a0", "version": "0", "once": "unused",
        ]
        for object in ["switch", "dn", "place", "person", "skill", "team", "campaign"] { absent[object] = "987654" }
        try await fillProvisioning()
        try await fillVoice()
        try await beginOthers()
    }

    private func fillProvisioning() async throws {
        let all = try await client(.config, as: "all")
        try await region.until("both tenants are there") {
            try await all.say("CFG.GET 102 tenant 102", "CFG.GET 101 tenant 101").contains("CanaryInc")
        }
        func put(_ line: String) async throws -> String {
            try field("id", try await written("CFG.PUT \(line)", through: all))
        }
        let home = try await put("102 switch NEW name canary-switch")
        let dn = try await put("102 dn NEW switch_dbid \(home) type 1 number 7001 name canary-dn")
        let place = try await put("102 place NEW name canary-place dn_dbids [\(dn)]")
        let person = try await put(
            "102 person NEW user_name canary-ada employee_id canary-1 place_dbid \(place) first_name Canary")
        let skill = try await put("102 skill NEW name canary-flying")
        let team = try await put("102 agent_group NEW name canary-team manager_dbids [\(person)]")
        let campaign = try await put("102 campaign NEW name canary-campaign")
        _ = try await put("102 person_skill \(person),\(skill) level 1")
        _ = try await put("102 agent_login NEW switch_dbid \(home) login_code 7001")
        _ = try await put("102 agent_group_member \(team),\(person)")
        _ = try await put("102 campaign_group NEW campaign_dbid \(campaign) name spring")
        let ownSkill = try await put("101 skill NEW name own-skill")
        _ = try await put("101 person NEW user_name own-ada employee_id 1")
        let last = try await written("CFG.PUT 102 skill \(skill) name canary-swimming ONCE theirs", through: all)
        let token = try field("token", last)
        foreign.merge([
            "switch": home, "dn": dn, "place": place, "person": person, "skill": skill, "team": team,
            "campaign": campaign, "ownSkill": ownSkill, "token": token,
        ]) { $1 }
        absent.merge(["ownSkill": ownSkill, "token": token]) { $1 }

        let record = try await all.say("CFG.GET 102 person \(person) AT \(token) TIMEOUT 60000")
        foreign["version"] = try field("_d", record)
        try #require(record.contains("canary-ada"), "\(record)")
        let cursor = try field("cursor", try await all.say("CFG.LIST 102 skill COUNT 10"))
        try #require(cursor != "0")
        foreign["cursor"] = cursor
        absent["cursor"] = cursor.split(separator: "-").dropLast().joined(separator: "-") + "-1"
    }

    private func fillVoice() async throws {
        let all = try await client(.voice, as: "all")
        func add(_ tenant: Int, _ event: String, _ key: String, _ data: String) async throws -> String {
            try line(1, try await all.say("XADD voice:\(tenant) * event \(event) key \(key) data \(data)"))
        }
        let ringing = #"{"ThisDN":"7001","ConnID":"canary-call","CallType":2,"UserData":{"of":"canary"}}"#
        foreign["entry"] = try await add(102, "EventRinging", "canary-call", ringing)
        _ = try await add(102, "EventAgentLogin", "canary-agent", #"{"AgentID":"canary-agent","ThisDN":"7001"}"#)
        _ = try await add(101, "EventRinging", "own-call", #"{"ThisDN":"7001","ConnID":"own-call","CallType":2}"#)
        foreign.merge(["call": "canary-call", "agent": "canary-agent", "once": "theirs"]) { $1 }
        _ = try await all.say("XGROUP CREATE voice:102 teamdesk 0", "XGROUP CREATE voice:101 own 0")
        let given = try await all.say("XREADGROUP GROUP teamdesk anna-b COUNT 1 STREAMS voice:102 >")
        try #require(given.contains("canary-call"), "\(given)")
        _ = try await all.say("CALL.MAKE 102 7001 7002 ONCE theirs")
        try await region.until("calls and agents are projected") {
            let call = try await all.say("CALL.GET 102 canary-call")
            let agent = try await all.say("AGENT.GET 102 canary-agent")
            let own = try await all.say("CALL.LIST 101")
            return call.contains("7001") && agent.contains("7001") && own.contains("own-call")
        }
        let journal = JournalName.voice(tenant: "102", origin: "us-east")
        try await region.until("they are copied") {
            try await region.last(of: journal, on: region.east) == region.last(of: journal, on: region.west)
        }
    }

    /// What another account of the same tenant has asked for once, and watches of other connections.
    private func beginOthers() async throws {
        let (config, voice) = (try await client(.config, as: "mate"), try await client(.voice, as: "mate"))
        let made = try await written("CFG.PUT 101 skill NEW name theirs ONCE theirs", through: config)
        let (skill, token) = (try field("id", made), try field("token", made))
        let seen = try await config.say("CFG.GET 101 skill \(skill) AT \(token) TIMEOUT 60000")
        try #require(seen.contains("theirs"), "\(seen)")
        _ = try await config.say("CFG.WATCH 101")
        _ = try await voice.say("CALL.HOLD 101 7009 theirs ONCE theirs", "VOICE.WATCH 101")
        others = [config, voice]
        foreign["watch"] = "1"
    }

    /// What is answered to a write. It is said again while PostgreSQL is late: nothing was written then.
    private func written(_ line: String, through client: TextClient) async throws -> String {
        var reply = ""
        try await region.until("\(line) is taken") {
            reply = try await client.say(line)
            return !reply.hasPrefix("-UNAVAILABLE")
        }
        return reply
    }

    /// The string behind `name` in a reply.
    private func field(_ name: String, _ reply: String) throws -> String {
        let lines = reply.components(separatedBy: "\r\n")
        let place = try #require(lines.firstIndex(of: name), "\(reply)")
        return try line(place + 2, reply)
    }

    private func line(_ number: Int, _ reply: String) throws -> String {
        let lines = reply.components(separatedBy: "\r\n")
        try #require(lines.indices.contains(number), "\(reply)")
        return lines[number]
    }

    // MARK: What has changed

    /// All that is kept of tenant 102, by where, once the worker has nothing more to do with it.
    func contents() async throws -> [String: String] {
        var contents = try await contentsNow()
        try await region.until("the other tenant's data rest") {
            try await Task.sleep(for: .milliseconds(1_500))  // what it does once a second it has done then
            let before = contents
            contents = try await contentsNow()
            return contents == before
        }
        return contents
    }

    /// Rows with the transaction that wrote them, keys with what they hold.
    private func contentsNow() async throws -> [String: String] {
        var contents: [String: String] = [:]
        let version = "SELECT coalesce(string_agg(concat_ws(' ', t.xmin, t), '|' ORDER BY t.ctid), '') AS text"
        for table in Self.tables {
            let rows = try await region.sql("\(version) FROM provisioning.\(table) AS t WHERE tenant_dbid = 102")
            contents["table \(table)"] = try rows.map { try $0.string("text") }.first
        }
        let tenant = try await region.sql("\(version) FROM provisioning.tenant AS t WHERE dbid = 102")
        contents["table tenant"] = try tenant.map { try $0.string("text") }.first
        let keys: RedisReply = try await region.east.send(RedisCommand("KEYS", "*{102}*"))
        for key in keys.elements.compactMap(\.string) {
            let dump: RedisReply = try await region.east.send(RedisCommand("DUMP", key))
            contents["key \(key)"] = dump.bytes.map { "\(Array($0.readableBytesView))" } ?? ""
        }
        return contents
    }
}
