import Logging
import NIOCore
import NIOPosix
import Observability
import PortFixtures
import Projection
import RESP
import RESPServer
import RedisClient
import ServerFixtures
import Synchronization
import Tenants
import Testing

@testable import VoiceListener
@testable import Worker

/// A voice port of region `us-east` with peer `eu-west` on a free port, in front of a Redis of the test's own; tenants 101 and
/// 102 are there, and 201 to 208.
struct ReadingPort: Sendable {
    let redis: RedisServer
    let port: Int
    let feed: VoiceFeed
    /// Where the feed has opened connections to read journals, in order.
    let places: ReadingPlaces
    let states: ComponentStates
    /// A connection to Redis itself.
    let server: RedisClient

    static let key = "rs:{101}:voice:us-east"
    static let name = "voice:101@us-east"
    private static let loops = MultiThreadedEventLoopGroup.singleton

    /// Runs a port for the length of `body`. Besides everybody, who may do everything, there is `pulse` with the secret
    /// `sesame`, who may read tenant 101 only.
    static func with(_ body: @escaping @Sendable (ReadingPort) async throws -> Void) async throws {
        try await RedisServer.with(settings: ["appendonly yes"]) { redis in try await with(redis, body) }
    }

    private static func with(
        _ redis: RedisServer, _ body: @escaping @Sendable (ReadingPort) async throws -> Void
    ) async throws {
        let home = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await with(redis, readingOn: home.next(), body)
            try await home.shutdownGracefully()
        } catch {
            try await home.shutdownGracefully()
            throw error
        }
    }

    private static func with(
        _ redis: RedisServer, readingOn home: any EventLoop,
        _ body: @escaping @Sendable (ReadingPort) async throws -> Void
    ) async throws {
        let endpoint = Self.endpoint(of: redis)
        let loop = loops.next()
        let client = RedisClient(endpoint: endpoint, name: "port", eventLoop: loop)
        let store = PromptRedisStore(client: client)
        let tenants = TenantLookup(store: store, fixed: [101, 102] + Array(201...208))
        let states = ComponentStates()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let places = ReadingPlaces()
        let feed = VoiceFeed(
            store: store,
            tail: { (reader, loop) async throws(StoreFailure) -> any VoiceTail in
                places.add(loop)
                return try await RedisVoiceTail.open(
                    endpoint: endpoint, name: "feed-\(reader)", eventLoop: loop, client: client, logger: logger)
            },
            eventLoop: home, executor: { EventLoopTaskExecutor($0) }, states: states, logger: logger)
        let reads = VoiceReads(feed: feed, store: store, tenants: tenants, region: "us-east", peers: ["eu-west"])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await client.run() }
            tasks.addTask { await feed.run() }
            try await ServedPort.with(CommandTable(reads.commands), accounts: AccountStore(accounts)) { served in
                _ = try await client.connection()
                try await body(
                    ReadingPort(
                        redis: redis, port: served.port, feed: feed, places: places, states: states, server: client))
            }
        }
    }

    private static var accounts: Accounts {
        let sesame = SecretHash("#d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272")
        return Accounts(
            [
                Accounts.Entry(
                    account: Account(name: "pulse", permissions: [.read], tenants: .some([101])),
                    secrets: [sesame].compactMap(\.self))
            ],
            anonymous: Account(name: "default", permissions: [.read, .write, .control], tenants: .all))
    }

    private static func endpoint(of redis: RedisServer) -> RedisEndpoint {
        var endpoint = RedisEndpoint.patient(redis.port)
        // As in a worker: a larger reply ends the connection.
        endpoint.replyBytes = 64 << 20
        return endpoint
    }

    /// Has Redis do something.
    @discardableResult
    func tell(_ words: String...) async throws -> RedisReply {
        let connection = try await server.connection()
        return try await connection.send(RedisCommand(words: words, runs: []))
    }

    /// Appends an entry with one field, whose value is its ID's number.
    func append(_ id: Int, to key: String = Self.key) async throws {
        try await tell("XADD", key, "\(id)-0", "n", "\(id)")
    }

    func client() throws -> PortTalk { try PortTalk(port: port) }

    /// Waits until so many clients wait or watch, and nothing is looked for on their behalf.
    func untilWaiting(_ count: Int) async throws {
        try await until("\(count) wait") {
            feed.state.withLock { state in
                let waiters = state.machine.waiters.values
                return waiters.count == count && waiters.allSatisfy { $0.state == .parked || $0.state == .watching }
            }
        }
    }

    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("in vain: \(what)")
    }
}

/// Event loops, in the order in which they were used.
final class ReadingPlaces: Sendable {
    private let loops = Mutex<[any EventLoop]>([])

    func add(_ loop: any EventLoop) { loops.withLock { $0.append(loop) } }

    var all: [any EventLoop] { loops.withLock { $0 } }
}
