import Glibc
import Logging
import NIOCore
import NIOPosix
import Observability
import Projection
import RESP
import RESPServer
import RedisClient
import ServerFixtures
import ServiceLifecycle
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
        let endpoint = Self.endpoint(of: redis)
        let loop = loops.next()
        let client = RedisClient(endpoint: endpoint, name: "port", eventLoop: loop)
        let store = PromptRedisStore(client: client)
        let tenants = TenantLookup(store: store, fixed: [101, 102] + Array(201...208))
        let states = ComponentStates()
        let feed = VoiceFeed(
            store: store,
            tail: { (reader: Int) async throws(StoreFailure) -> any VoiceTail in
                try await RedisVoiceTail.open(
                    endpoint: endpoint, name: "feed-\(reader)", eventLoop: loop, client: client)
            },
            eventLoop: loop, executor: EventLoopTaskExecutor(loop), states: states, logger: silent)
        let reads = VoiceReads(feed: feed, store: store, tenants: tenants, region: "us-east", peers: ["eu-west"])
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let group = ServiceGroup(
            services: [
                RESPServer(
                    RESPServer.Settings(
                        host: "127.0.0.1", port: 0, label: "voice", identity: ServerIdentity(version: "test")),
                    table: CommandTable(reads.commands), accounts: AccountStore(accounts), registry: MetricsRegistry(),
                    logger: silent, onListening: { listening.yield($0) })
            ], logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask { await client.run() }
            tasks.addTask { await feed.run() }
            tasks.addTask {
                var iterator = ports.makeAsyncIterator()
                let port = try #require(await iterator.next())
                _ = try await client.connection()
                let result: Result<Void, any Error>
                do {
                    try await body(ReadingPort(redis: redis, port: port, feed: feed, states: states, server: client))
                    result = .success(())
                } catch {
                    result = .failure(error)
                }
                await group.triggerGracefulShutdown()
                try result.get()
            }
            try await tasks.next()
            try await tasks.next()
            tasks.cancelAll()
        }
    }

    private static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

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
        var endpoint = RedisEndpoint(host: redis.host, port: redis.port, connectTimeout: .seconds(10))
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

    func client() throws -> WireTalk { try WireTalk(port: port) }

    /// Waits until so many clients wait or watch.
    func untilWaiting(_ count: Int) async throws {
        try await until("\(count) wait") { feed.size.clients == count }
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

/// A client that says words and hears bytes.
final class WireTalk: Sendable {
    struct NotConnected: Error {}

    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw NotConnected() }
    }

    deinit { close(descriptor) }

    /// Sends a request of words that stand apart at spaces.
    func send(_ line: String) {
        let words = line.split(separator: " ")
        var text = "*\(words.count)\r\n"
        for word in words { text += "$\(word.utf8.count)\r\n\(word)\r\n" }
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// What comes up to and with `end`; what there is where that does not come in time.
    func hear(until end: String) async -> String {
        let deadline = ContinuousClock.now + .seconds(60)
        let tail = Array(end.utf8)
        var heard: [UInt8] = []
        while !heard.suffix(tail.count).elementsEqual(tail) {
            var byte: UInt8 = 0
            let count = recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT))
            if count > 0 {
                heard.append(byte)
            } else if count == 0 || ContinuousClock.now > deadline {
                break
            } else {
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
        return String(decoding: heard, as: UTF8.self)
    }

    /// The reply to a request that is answered at once.
    func say(_ line: String) async -> String {
        let end = "$3\r\nend\r\n"
        send(line)
        send("ECHO end")
        return String(await hear(until: end).dropLast(end.count))
    }
}
