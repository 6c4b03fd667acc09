import NIOPosix
import Preflight
import RESP
import RedisClient
import ServerFixtures
import Testing

@Suite("Checking Redis, on real servers")
struct RedisCheckTests {
    @Test("A server that is as it must be is found so, and nothing is left behind on it")
    func clean() async throws {
        try await RedisServer.with(settings: ["appendonly yes"]) { server in
            let findings = try await check(server).findings(at: "redis")
            #expect(findings.allSatisfy { $0.severity == .ok }, "\(findings)")
            #expect(
                findings.map(\.subject) == ["version", "eviction policy", "persistence", "functions", "permissions"])
            try await with(server) { connection in
                let libraries = try await connection.send(RedisCommand("FUNCTION", "LIST"))
                #expect(libraries.count == 0)
                let keys = try await connection.send(RedisCommand("DBSIZE"))
                #expect(keys.integer == 0)
            }
        }
    }

    /// A flaw: the commands that make it, and what is said of it.
    static let flaws: [(commands: [String], subject: String, severity: Finding.Severity, says: String)] = [
        (["CONFIG SET maxmemory-policy allkeys-lru"], "eviction policy", .error, "allkeys-lru may throw journals away"),
        (["CONFIG SET appendonly no"], "persistence", .warning, "no append-only file"),
        (["REPLICAOF 127.0.0.1 1"], "role", .error, "is a replica of 127.0.0.1:1"),
        (["library 0"], "functions", .warning, "an older worker than this one"),
        (["library 9"], "functions", .warning, "a newer worker than this one"),
        (["library 1"], "functions", .warning, "with other code"),
    ]

    @Test("Each flaw is found, and the command that is printed mends it")
    func flaws() async throws {
        try await RedisServer.with(settings: ["appendonly yes"]) { server in
            for flaw in Self.flaws {
                for command in flaw.commands { try await run(command, on: server) }
                let fault = try await check(server).fault(flaw.subject, at: "redis")
                #expect(fault.severity == flaw.severity)
                #expect(fault.statement.contains(flaw.says), "\(fault)")
                let remedy = try #require(fault.remedy)
                #expect(remedy.means == .redis)
                for command in remedy.commands { try await run(command, on: server) }
                let after = try await check(server).findings(at: "redis")
                #expect(after.allSatisfy { $0.severity == .ok }, "\(flaw.subject): \(after)")
            }
        }
    }

    @Test("A user who may not do all that is needed is found, and the command that is printed gives just that")
    func permissions() async throws {
        try await RedisServer.with(settings: ["appendonly yes"]) { server in
            try await run("ACL SETUSER worker on >canary-secret ~rs:* +@read +@connection +info", on: server)
            var region = CheckedRegion()
            region.redis = ["host: 127.0.0.1", "port: \(server.port)", "username: worker", "passwordEnv: PASSWORD"]
            region.environment = ["PASSWORD": "canary-secret"]
            let functions = try await region.check().fault("functions", at: "redis")
            #expect(functions.statement.contains("NOPERM"))
            let report = try await region.check()
            let fault = try report.fault("permissions", at: "redis")
            for name in ["FUNCTION LOAD", "FCALL", "XADD", "keys cfg:*", "SET"] {
                #expect(fault.statement.contains(name), "\(fault)")
            }
            #expect(!fault.statement.contains("XRANGE"))
            for command in try #require(fault.remedy).commands { try await run(command, on: server) }
            let after = try await region.check().findings(at: "redis")
            #expect(after.allSatisfy { $0.severity == .ok }, "\(after)")
            for right in ["multi", "exec"] {
                try await run("ACL SETUSER worker -\(right)", on: server)
                let fault = try await region.check().fault("permissions", at: "redis")
                #expect(fault.statement.hasSuffix("may not: \(right.uppercased())"))
                try await run("ACL SETUSER worker +\(right)", on: server)
            }
            for text in [report.table, report.json] { #expect(!text.contains("canary")) }
            region.environment = ["PASSWORD": "canary-wrong"]
            let refused = try await region.check()
            let connection = try refused.fault("connection", at: "redis")
            #expect(connection.statement.contains("WRONGPASS"))
            for text in [refused.table, refused.json] { #expect(!text.contains("canary")) }
        }
    }

    @Test("A peer is checked as well; two names of one server are found out")
    func peers() async throws {
        try await RedisServer.with(settings: ["appendonly yes"]) { server in
            var region = CheckedRegion()
            region.redis = ["host: 127.0.0.1", "port: \(server.port)"]
            region.peer = ["host: 127.0.0.1", "port: \(try freePort())"]
            let unreachable = try await region.check().fault("connection", at: "redis of eu-west")
            #expect(unreachable.statement.contains("refused"))
            #expect(unreachable.remedy?.note?.contains("peers[0].redis.port") == true)
            region.peer = ["host: localhost", "port: \(server.port)"]
            let twin = try await region.check().fault("identity")
            #expect(twin.statement == "is the same server as redis 127.0.0.1:\(server.port)")
        }
    }

    // MARK: Servers

    private func check(_ server: RedisServer) async throws -> FindingReport {
        var region = CheckedRegion()
        region.redis = ["host: 127.0.0.1", "port: \(server.port)"]
        return try await region.check()
    }

    /// `library n` loads a version of the journal's functions that is not the worker's.
    private func run(_ command: String, on server: RedisServer) async throws {
        var words = command.split(separator: " ").map(String.init)
        if words[0] == "library" {
            let name = "#!lua name=regionsync_journal_\(words[1])\n"
            words = ["FUNCTION", "LOAD", name + "redis.register_function('f\(words[1])', function() end)"]
        }
        try await with(server) { _ = try await $0.send(RedisCommand(words: words, runs: [])) }
    }

    private func with(_ server: RedisServer, _ body: (RedisConnection) async throws -> Void) async throws {
        let endpoint = RedisEndpoint(host: server.host, port: server.port)
        let connection = try await RedisConnection.connect(
            to: endpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
        try await body(connection)
        await connection.close()
    }
}
