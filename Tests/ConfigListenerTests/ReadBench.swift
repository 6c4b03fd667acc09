import Journal
import Logging
import NIOPosix
import Observability
import PortFixtures
import RESP
import RESPServer
import RedisClient
import RegionConfig
import ServerFixtures
import Synchronization
import Tenants
import Testing
import Worker

@testable import ConfigListener
@testable import Projection

/// A region's Redis, a port that serves reads of it, and somebody else who writes there.
struct ReadBench: Sendable {
    let server: RedisServer
    /// The somebody else.
    let redis: RedisConnection
    let cache: TrackedCache
    let tokens: StandInTokens
    let progress: ProvisioningProgress
    let states: ComponentStates
    /// Of large reads.
    let turns: ReadingTurns
    let port: Int

    /// Runs `body` beside all of these. Tenants 101 "Acme" and 102 "Other" are there, and everything up to position 100 is
    /// projected. The port takes the server for dead that is silent for `linkTimeout`; `through` may put something between
    /// them.
    static func with(
        memory: Int = 1 << 20, linkTimeout: Duration = .seconds(60),
        through: @escaping @Sendable (any CacheTracking) -> any CacheTracking = { $0 },
        _ body: @escaping @Sendable (ReadBench) async throws -> Void
    ) async throws {
        try await RedisServer.with { server in
            var endpoint = RedisEndpoint.patient(server.port)
            endpoint.linkTimeout = linkTimeout
            let redis = try await connect(to: server.port)
            try await seed(redis)
            let (states, progress, tokens) = (ComponentStates(), ProvisioningProgress(), StandInTokens())
            let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            let cache = TrackedCache(
                tracking: through(
                    RedisCacheTracking(
                        endpoint: endpoint, eventLoop: MultiThreadedEventLoopGroup.singleton.next())),
                memory: ObjectMemory(limit: memory), states: states, logger: logger)
            let reads = ConfigReads(
                region: "eu-west", cache: cache, tenants: TenantLookup(store: cache), catalog: .reads,
                waiting: tokens, progress: progress, states: states)
            let table = CommandTable(reads.commands, information: { [reads.information] })
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                defer { tasks.cancelAll() }
                tasks.addTask { await cache.run() }
                tasks.addTask { await reads.run() }
                try await ServedPort.with(table, accounts: AccountStore(.reads)) { served in
                    let bench = ReadBench(
                        server: server, redis: redis, cache: cache, tokens: tokens, progress: progress, states: states,
                        turns: reads.turns, port: served.port)
                    try await bench.tracks()
                    try await body(bench)
                }
            }
            await redis.close()
        }
    }

    /// A client of the port; without an account it sees all tenants.
    func client(_ account: String? = nil) async throws -> RedisConnection {
        try await Self.connect(to: port, account: account)
    }

    static func connect(to port: Int, account: String? = nil) async throws -> RedisConnection {
        var endpoint = RedisEndpoint.patient(port)
        (endpoint.username, endpoint.password) = (account, account.map { _ in "sesame" })
        return try await RedisConnection.connect(
            to: endpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.next())
    }

    static let seeds = [
        ["SADD", tenantsKey, "101", "102"], ["HSET", ProjectionKeys.trailing, "provisioning", "100"],
        ["HSET", "rs:{101}:projection", "provisioning", "90"],
        ["HSET", "cfg:{101}:tenant:101", "name", "Acme"], ["HSET", "cfg:{102}:tenant:102", "name", "Other"],
    ]

    static func seed(_ redis: RedisConnection) async throws {
        for command in seeds { _ = try await redis.send(RedisCommand(words: command, runs: [])) }
    }

    /// Runs a command as somebody else does.
    @discardableResult
    func write(_ words: String...) async throws -> RedisReply {
        try await redis.send(RedisCommand(words: words, runs: []))
    }

    /// Runs commands as one, as somebody else does.
    func writeTogether(_ commands: [[String]]) async throws {
        let all = [["MULTI"]] + commands + [["EXEC"]]
        for result in await redis.pipeline(all.map { RedisCommand(words: $0, runs: []) }) { _ = try result.get() }
    }

    /// Waits until a session with Redis is there.
    func tracks() async throws {
        try await eventually { states.state(of: TrackedCache.component)?.name == "tracking" }
    }

    /// Waits until `condition` holds; fails the test when it never does.
    func eventually(
        _ condition: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("it never came true", sourceLocation: sourceLocation)
    }
}

/// Says of tokens what a test tells it to.
final class StandInTokens: TokenWaiting {
    private let state = Mutex(
        (verdict: TokenVerdict.visible, waits: false, asked: [WriteToken](), patiences: [Duration]()))

    var asked: [WriteToken] { state.withLock { $0.asked } }

    /// How long each asker would have waited.
    var patiences: [Duration] { state.withLock { $0.patiences } }

    /// At once, or when who asks is cancelled.
    func answer(_ verdict: TokenVerdict, whenCancelled waits: Bool = false) {
        state.withLock { state in
            state.verdict = verdict
            state.waits = waits
        }
    }

    func wait(for token: WriteToken, within patience: Duration) async -> TokenVerdict {
        let (verdict, waits) = state.withLock { state in
            state.asked.append(token)
            state.patiences.append(patience)
            return (state.verdict, state.waits)
        }
        if waits {
            let (never, _) = AsyncStream<Never>.makeStream()
            for await _ in never {}
        }
        return verdict
    }
}

extension RedisEndpoint {
    /// A server or port of the test's own, which nobody gives up because the machine is busy.
    static func patient(_ port: Int) -> RedisEndpoint {
        RedisEndpoint(
            host: "127.0.0.1", port: port, connectTimeout: .seconds(60), responseTimeout: .seconds(60),
            linkTimeout: .seconds(60))
    }
}

extension Catalog {
    static let reads = Catalog(tables: [
        CatalogTable(
            table: TableName(schema: "provisioning", name: "tenant"), type: "tenant", key: ["dbid"], tenant: "dbid",
            indexes: [CatalogIndex(field: "name", unique: true)]),
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person"), type: "person", key: ["dbid"],
            tenant: "tenant_dbid",
            indexes: [
                CatalogIndex(field: "user_name", unique: true), CatalogIndex(field: "place_dbid", unique: false),
            ], omit: ["password_hash"]),
        CatalogTable(
            table: TableName(schema: "provisioning", name: "note"), type: "note", key: ["dbid", "part"],
            tenant: "tenant_dbid"),
    ])
}

extension Accounts {
    /// Who has not logged in sees all tenants, `pulse` sees 101.
    static let reads = Accounts(
        [
            Entry(
                account: Account(name: "pulse", permissions: [.read], tenants: .some([101])),
                secrets: [SecretHash("#d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272")]
                    .compactMap(\.self))
        ], anonymous: Account(name: "default", permissions: [.read], tenants: .all))
}

extension RedisConnection {
    /// What a command is answered with, and an error as it stands on the wire.
    func shown(_ words: String...) async throws -> String { try await shown(words) }

    func shown(_ words: [String]) async throws -> String {
        do throws(RedisError) {
            return try await send(RedisCommand(words: words, runs: [])).description
        } catch .server(let code, let message) {
            return "\(code) \(message)"
        }
    }

    /// How often the server has carried out a command, whoever asked it to.
    func calls(of command: String) async throws -> Int {
        let statistics: RedisReply = try await send(RedisCommand("INFO", "commandstats"))
        let name = "cmdstat_\(command):calls="
        let lines = (statistics.string ?? "").split(whereSeparator: \.isNewline)
        guard let line = lines.first(where: { $0.hasPrefix(name) }) else { return 0 }
        return Int(line.dropFirst(name.count).prefix { $0.isNumber }) ?? 0
    }
}
