import Glibc
import Journal
import Logging
import NIOPosix
import Observability
import RESP
import RESPServer
import RedisClient
import ServerFixtures
import ServiceLifecycle
import Synchronization
import Tenants
import Testing

@testable import ConfigListener
@testable import Projection
@testable import Worker

/// A port with the commands that follow changes, in front of a Redis of the test's own. Tenants 101 and 102 are there; the test
/// writes the journals and says how far they are projected.
struct WatchBench: Sendable {
    let server: RedisServer
    let redis: RedisClient
    let progress: ProvisioningProgress
    let feed: ProvisioningFeed
    let port: Int

    static let east = ScriptedJournals.east
    static let west = ScriptedJournals.west

    /// `outputBytes` may wait for a client.
    static func with(
        outputBytes: Int = 32 << 20, _ body: @escaping @Sendable (WatchBench) async throws -> Void
    ) async throws {
        try await RedisServer.with { server in try await with(server, outputBytes, body) }
    }

    private static func with(
        _ server: RedisServer, _ outputBytes: Int, _ body: @escaping @Sendable (WatchBench) async throws -> Void
    ) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let endpoint = RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(10))
        let client = RedisClient(endpoint: endpoint, name: "test", eventLoop: loop)
        let store = PromptRedisStore(client: client)
        let progress = ProvisioningProgress()
        let tenants = TenantLookup(store: store, fixed: [101, 102])
        let feed = ProvisioningFeed(
            region: "eu-west", journals: [east, west],
            tail: RedisProjectionTail(endpoint: endpoint, name: "watches", eventLoop: loop, entriesPerRead: 64),
            store: store, progress: progress, logger: logger)
        let watches = ConfigWatches(feed: feed, tenants: tenants, catalog: .reads)
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        var settings = RESPServer.Settings(
            host: "127.0.0.1", port: 0, label: "config", identity: ServerIdentity(version: "1"))
        settings.limits.outputBytes = outputBytes
        let listener = RESPServer(
            settings, table: CommandTable(watches.commands), accounts: AccountStore(.reads),
            registry: MetricsRegistry(), logger: logger, onListening: { listening.yield($0) })
        let group = ServiceGroup(services: [listener], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await client.run() }
            tasks.addTask { await feed.run() }
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            _ = try await client.connection()
            let bench = WatchBench(server: server, redis: client, progress: progress, feed: feed, port: port)
            do {
                try await body(bench)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
        }
    }

    /// Writes a transaction into a journal; its changes as `ScriptedJournals` has them.
    func write(_ position: UInt64, _ changes: String..., to journal: JournalName = Self.east) async throws {
        try await write(position, changes, to: journal)
    }

    func write(
        _ position: UInt64, _ changes: [String], to journal: JournalName = Self.east, isClosed: Bool = true
    ) async throws {
        var script = ScriptedJournals()
        script.add(journal, position, changes, isClosed: isClosed)
        let commands = (script.entries[journal] ?? []).map { entry in
            RedisCommand(words: ["XADD", journal.key, entry.id.description] + entry.words, runs: [])
        }
        for result in try await redis.connection().pipeline(commands) { _ = try result.get() }
    }

    func reached(_ position: UInt64) { progress.reached(Position(number: position)) }

    /// The projection has lost its Redis.
    func interrupted() { progress.interrupted() }

    @discardableResult
    func tell(_ words: String...) async throws -> RedisReply {
        try await redis.connection().send(RedisCommand(words: words, runs: []))
    }

    func talk() throws -> WatchTalk { try WatchTalk(port: port) }

    /// A client that speaks RESP3.
    func watcher() async throws -> WatchTalk {
        let talk = try talk()
        _ = await talk.say("HELLO 3")
        return talk
    }

    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("in vain: \(what)")
    }

    /// Waits until journals have been read, and stay unread for one look after another.
    func untilNothingIsRead() async throws {
        var (reads, looks) = (0, 0)
        try await until("nothing is read any more") {
            let now = try await redis.connection().calls(of: "xread")
            looks = now > 0 && now == reads ? looks + 1 : 0
            reads = now
            return looks == 30
        }
    }

    /// How many watches are told what happens as it happens.
    var live: Int { feed.state.withLock { $0.watches.size.live } }
}

/// A client that says words and hears bytes.
final class WatchTalk: Sendable {
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

    func send(_ line: String) {
        let words = line.split(separator: " ")
        let text = "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// What comes up to and with `end`; what there is where that does not come in time.
    func hear(until end: String) async -> String {
        let tail = Array(end.utf8)
        return await hear { heard in heard.suffix(tail.count).elementsEqual(tail) ? 0 : 1 }
    }

    /// Whether what comes next is this.
    func hears(_ text: String) async -> Bool {
        let count = text.utf8.count
        return await hear { heard in count - heard.count } == text
    }

    /// Hears as long as more is `wanted`, so many bytes.
    private func hear(_ wanted: ([UInt8]) -> Int) async -> String {
        let deadline = ContinuousClock.now + .seconds(60)
        var heard: [UInt8] = []
        while true {
            let room = wanted(heard)
            guard room > 0 else { break }
            var bytes = [UInt8](repeating: 0, count: room)
            let count = recv(descriptor, &bytes, room, Int32(MSG_DONTWAIT))
            if count > 0 {
                heard += bytes.prefix(count)
            } else if count == 0 || ContinuousClock.now > deadline {
                break
            } else {
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
        return String(decoding: heard, as: UTF8.self)
    }

    /// The reply to a request.
    func say(_ line: String) async -> String {
        let end = "$3\r\nend\r\n"
        send(line)
        send("ECHO end")
        return String(await hear(until: end).dropLast(end.count))
    }
}

/// The push of a change in tenant 101.
func news(
    _ watch: Int, _ position: UInt64, _ event: String, _ type: String, _ key: String, _ data: String?
) -> String {
    ">8\r\n$3\r\ncfg\r\n:\(watch)\r\n" + bulk("\(position)") + bulk(event) + ":101\r\n" + bulk(type) + bulk(key)
        + (data.map { bulk($0) } ?? "_\r\n")
}

/// The last push of a watch.
func stale(_ watch: Int, _ position: UInt64, _ type: String? = nil) -> String {
    ">8\r\n$3\r\ncfg\r\n:\(watch)\r\n" + bulk("\(position)") + bulk("STALE") + ":101\r\n"
        + (type.map { bulk($0) } ?? "_\r\n") + "_\r\n_\r\n"
}

func begun(_ watch: Int, _ position: String) -> String {
    "%2\r\n$5\r\nwatch\r\n:\(watch)\r\n$8\r\nposition\r\n" + bulk(position)
}

private func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }
