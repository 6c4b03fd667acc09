import Journal
import Logging
import NIOCore
import NIOPosix
import PortFixtures
import Projection
import RESP
import RESPServer
import RedisClient
import ServerFixtures
import Tenants
import Testing

@testable import VoiceListener
@testable import Worker

/// A voice port of region `us-east` on a free port, in front of a Redis of the test's own; tenants 101 and 102 are there, and
/// 103, which is called Acme.
struct WritingPort: Sendable {
    let redis: RedisServer
    let port: Int
    /// A connection to Redis itself.
    let server: RedisConnection

    static let region = "us-east"
    private static let loops = MultiThreadedEventLoopGroup.singleton

    /// Runs a port for the length of `body`. Besides everybody, who may do everything, there is `pulse` with the secret
    /// `sesame`, who may read tenant 101 only, and `desk`, who may do all with it.
    static func with(
        redis: RedisServer, peers: [any PeerCopies] = [],
        _ body: @escaping @Sendable (WritingPort) async throws -> Void
    ) async throws {
        let client = RedisClient(
            endpoint: .patient(redis.port), name: "port", eventLoop: loops.next())
        let server = try await RedisConnection.connect(
            to: .patient(redis.port), name: "test", on: loops.next())
        _ = try await server.send(RedisCommand("SADD", "rs:{_}:tenants", "103"))
        _ = try await server.send(RedisCommand("HSET", "cfg:{103}:tenant:103", "name", "Acme"))
        let store = PromptRedisStore(client: client)
        let tenants = TenantLookup(store: store, fixed: [101, 102])
        let writes = VoiceWrites(region: region, store: store, tenants: tenants, peers: peers, logger: silent)
        let states = VoiceStates(store: store, tenants: tenants)
        let table = CommandTable(writes.commands + states.commands)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await client.run() }
            try await ServedPort.with(table, accounts: AccountStore(accounts)) { served in
                _ = try await client.connection()
                try await body(WritingPort(redis: redis, port: served.port, server: server))
            }
        }
        await server.close()
    }

    /// The same with a Redis of its own.
    static func with(
        peers: [any PeerCopies] = [], _ body: @escaping @Sendable (WritingPort) async throws -> Void
    ) async throws {
        try await RedisServer.with { redis in try await with(redis: redis, peers: peers, body) }
    }

    private static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private static var accounts: Accounts {
        let sesame = SecretHash("#d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272")
        func entry(_ name: String, _ permissions: Set<Permission>) -> Accounts.Entry {
            Accounts.Entry(
                account: Account(name: name, permissions: permissions, tenants: .some([101])),
                secrets: [sesame].compactMap(\.self))
        }
        return Accounts(
            [entry("pulse", [.read]), entry("desk", [.read, .write, .control])],
            anonymous: Account(name: "default", permissions: [.read, .write, .control], tenants: .all))
    }

    /// A client of the port; with a name, that account's.
    func client(_ name: String? = nil) async throws -> RedisConnection {
        var endpoint = RedisEndpoint.patient(port)
        (endpoint.username, endpoint.password) = (name, name.map { _ in "sesame" })
        return try await RedisConnection.connect(to: endpoint, name: "test", on: Self.loops.next())
    }

    /// Everything in a stream of Redis, as text.
    func stream(_ key: String) async throws -> String {
        try await server.send(RedisCommand("XRANGE", key, "-", "+")).description
    }

    /// Waits until `condition` holds; fails the test where it never does.
    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("in vain: \(what)")
    }
}

/// A peer that says it holds everything.
struct Everything: PeerCopies {
    let region: String

    func holds(_ entries: [JournalName: EntryID]) async -> Bool { true }
    func areWhole(upTo entries: [JournalName: EntryID]) async -> Bool { true }
}

extension RedisEndpoint {
    /// A server or port of the test's own, which nobody gives up because the machine is busy.
    static func patient(_ port: Int) -> RedisEndpoint {
        RedisEndpoint(
            host: "127.0.0.1", port: port, connectTimeout: .seconds(60), responseTimeout: .seconds(60),
            linkTimeout: .seconds(60))
    }
}

extension RedisConnection {
    /// What is answered, errors as `(CODE message)`.
    func say(_ words: String..., blocking time: Duration = .zero) async throws -> String {
        try await say(words: words, blocking: time)
    }

    func say(words: [String], blocking time: Duration = .zero) async throws -> String {
        do throws(RedisError) {
            let answer: RedisReply = try await send(RedisCommand(words: words, runs: []).blocking(for: time))
            return answer.kind == .string ? answer.string ?? "" : answer.description
        } catch {
            guard case .server(let code, let message) = error else { throw error }
            return "(\(code) \(message))"
        }
    }
}
