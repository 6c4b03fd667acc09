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
                findings.map(\.subject) == [
                    "version", "eviction policy", "persistence", "functions", "functions", "functions", "functions",
                    "functions", "permissions",
                ])
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
        (["library journal_2"], "functions", .warning, "an older worker than this one"),
        (["library journal_9"], "functions", .warning, "a newer worker than this one"),
        (["library journal_3"], "functions", .warning, "with other code"),
        (["library projection_1"], "functions", .warning, "regionsync_projection_1 is loaded: an older worker"),
        (["library voice_9"], "functions", .warning, "regionsync_voice_9 is loaded: a newer worker"),
        (["library projection_2"], "functions", .warning, "regionsync_projection_2 is loaded with other code"),
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
            try await run("ACL SETUSER worker on >canary-secret ~rs:* +@read +@connection +info +multi", on: server)
            var region = CheckedRegion()
            region.redis = ["host: 127.0.0.1", "port: \(server.port)", "username: worker", "passwordEnv: PASSWORD"]
            region.environment = ["PASSWORD": "canary-secret"]
            let functions = try await region.check().fault("functions", at: "redis")
            #expect(functions.statement.contains("NOPERM"))
            let report = try await region.check()
            let fault = try report.fault("permissions", at: "redis")
            for name in ["FUNCTION LOAD", "FCALL", "XADD", "keys cfg:{1}:", "HSETNX", "EXEC"] {
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

    /// A right that is taken from a user who has all, and what must be said to be lacking.
    static let rights: [(rule: String, lacks: String)] =
        [
            "COPY", "DEL", "EVAL", "EXEC", "EXISTS", "EXPIRE", "FCALL", "FCALL_RO", "GET", "HDEL", "HEXISTS", "HGET",
            "HGETALL", "HINCRBY", "HMGET", "HSET", "HSETNX", "INFO", "MULTI", "RENAME", "RESTORE", "SADD", "SCARD",
            "SET", "SISMEMBER", "SMEMBERS", "SRANDMEMBER", "SREM", "SSCAN", "XADD", "XDEL", "XLEN", "XRANGE", "XREAD",
            "XREVRANGE", "XSETID", "XTRIM",
        ].map { ("-\($0)", $0) } + [
            ("-client|unblock", "CLIENT UNBLOCK"), ("-client|list", "CLIENT LIST"),
            ("-client|tracking", "CLIENT TRACKING"), ("-client|caching", "CLIENT CACHING"),
            ("-subscribe", "SUBSCRIBE"), ("resetchannels &news", "channel __redis__:invalidate"),
            ("-function|load", "FUNCTION LOAD"), ("-xinfo|stream", "XINFO STREAM"),
            ("resetkeys ~rs:{_}:* ~cfg:* ~call:* ~calls:* ~agent:*", "keys rs:{1}:voice:us-east"),
            ("resetkeys ~rs:* ~cfg:* ~call:* ~calls:*", "keys agent:{1}:probe"),
            (
                "resetkeys ~rs:{_}:* ~rs:{1}:[^r]* ~cfg:* ~call:* ~calls:* ~agent:*", "keys rs:{1}:requests:us-east"
            ),
            ("resetkeys %R~rs:* ~cfg:* ~call:* ~calls:* ~agent:*", "keys rs:{1}:voice:us-east"),
        ]

    /// The same of rights that consumer groups need.
    static let groupRights: [(rule: String, lacks: String)] =
        ["XACK", "XAUTOCLAIM", "XCLAIM", "XPENDING", "XREADGROUP"].map { ("-\($0)", $0) } + [
            ("-xgroup|create", "XGROUP CREATE"), ("-xgroup|createconsumer", "XGROUP CREATECONSUMER"),
            ("-xgroup|delconsumer", "XGROUP DELCONSUMER"), ("-xgroup|destroy", "XGROUP DESTROY"),
            ("-xgroup|setid", "XGROUP SETID"), ("-xinfo|consumers", "XINFO CONSUMERS"),
            ("-xinfo|groups", "XINFO GROUPS"),
        ]

    @Test("The rights to consumer groups are tried where the voice port is served, and needed nowhere else")
    func rightsToGroups() async throws {
        try await RedisServer.with(settings: ["appendonly yes"]) { server in
            var region = CheckedRegion()
            region.redis = ["host: 127.0.0.1", "port: \(server.port)", "username: worker", "passwordEnv: PASSWORD"]
            region.environment = ["PASSWORD": "secret"]
            let voice = ["listeners:", "  voice: {port: \(try freePort())}"]
            for right in Self.groupRights {
                try await run("ACL SETUSER worker reset on >secret ~* &* +@all", on: server)
                try await run("ACL SETUSER worker \(right.rule)", on: server)
                region.rest = voice
                let fault = try await region.check().fault("permissions", at: "redis")
                #expect(fault.statement.hasSuffix("may not: \(right.lacks)"), "\(fault)")
                region.rest = []
                let findings = try await region.check().findings(at: "redis")
                #expect(findings.allSatisfy { $0.severity == .ok }, "\(right): \(findings)")
            }
            region.rest = voice
            try await run("ACL SETUSER worker reset on >secret ~rs:* +@connection +info +multi +exec", on: server)
            let fault = try await region.check().fault("permissions", at: "redis")
            #expect(fault.statement.contains("XREADGROUP"))
            for command in try #require(fault.remedy).commands { try await run(command, on: server) }
            let after = try await region.check().findings(at: "redis")
            #expect(after.allSatisfy { $0.severity == .ok }, "\(after)")
        }
    }

    @Test("Every right that a function or the worker needs is tried, and nothing is changed by that")
    func eachRight() async throws {
        try await RedisServer.with(settings: ["appendonly yes"]) { server in
            var region = CheckedRegion()
            region.redis = ["host: 127.0.0.1", "port: \(server.port)", "username: worker", "passwordEnv: PASSWORD"]
            region.environment = ["PASSWORD": "secret"]
            for right in Self.rights {
                try await run("ACL SETUSER worker reset on >secret ~* &* +@all", on: server)
                try await run("ACL SETUSER worker \(right.rule)", on: server)
                let findings = try await region.check().findings(at: "redis")
                let fault = try #require(
                    findings.first { $0.severity == .error && ["permissions", "INFO"].contains($0.subject) }, "\(right)"
                )
                let lacks = fault.statement.split(separator: "may not: ").last.map { $0.split(separator: ", ") } ?? []
                let isSaid = lacks.first == right.lacks[...] && (right.lacks.hasPrefix("keys") || lacks.count == 1)
                #expect(isSaid || fault.subject == "INFO", "\(right) \(fault)")
            }
            try await with(server) { connection in
                let keys = try await connection.send(RedisCommand("DBSIZE"))
                #expect(keys.integer == 0)
            }
        }
    }

    @Test("At a peer the keys of this region's copies are tried, not the peer's own")
    func peerRights() async throws {
        try await RedisServer.with(settings: ["appendonly yes"]) { server in
            try await run("ACL SETUSER mirror on >secret ~rs:{*}:*:us-east* ~rs:{*}:projection +@all", on: server)
            var region = CheckedRegion()
            region.redis = ["host: 127.0.0.1", "port: \(try freePort())"]
            region.peer = ["host: 127.0.0.1", "port: \(server.port)", "username: mirror", "passwordEnv: PASSWORD"]
            region.environment = ["PASSWORD": "secret"]
            let findings = try await region.check().findings(at: "redis of eu-west")
            #expect(findings.allSatisfy { $0.severity == .ok }, "\(findings)")
            try await run("ACL SETUSER mirror resetkeys ~rs:{*}:*:eu-west*", on: server)
            let fault = try await region.check().fault("permissions", at: "redis of eu-west")
            #expect(fault.statement.contains("keys rs:{1}:voice:us-east"))
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

    /// `library journal_n` loads a version of the journal's functions that is not the worker's.
    private func run(_ command: String, on server: RedisServer) async throws {
        var words = command.split(separator: " ").map(String.init)
        if words[0] == "library" {
            let name = "#!lua name=regionsync_\(words[1])\n"
            words = ["FUNCTION", "LOAD", name + "redis.register_function('f\(words[1])', function() end)"]
        }
        try await with(server) { _ = try await $0.send(RedisCommand(words: words, runs: [])) }
    }

    private func with(_ server: RedisServer, _ body: (RedisConnection) async throws -> Void) async throws {
        let endpoint = RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(30))
        let connection = try await RedisConnection.connect(
            to: endpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
        try await body(connection)
        await connection.close()
    }
}
