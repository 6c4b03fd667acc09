import Journal
import NIOPosix
import Observability
import PortFixtures
import RESP
import RESPServer
import RedisClient
import ServerFixtures
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
    /// What objects are read from that watchers are told of; nil where nothing is.
    let cache: TrackedCache?
    let logged: LoggedMessages
    let port: Int

    static let east = ScriptedJournals.east
    static let west = ScriptedJournals.west

    /// `outputBytes` may wait for a client, and a turn to read lasts `turnTime`. With a `gate` there is a memory of objects,
    /// whose sessions pass through that.
    static func with(
        outputBytes: Int = 32 << 20, turnTime: Duration = .seconds(1), gate: Gate? = nil,
        _ body: @escaping @Sendable (WatchBench) async throws -> Void
    ) async throws {
        try await RedisServer.with { server in try await with(server, outputBytes, turnTime, gate, body) }
    }

    private static func with(
        _ server: RedisServer, _ outputBytes: Int, _ turnTime: Duration, _ gate: Gate?,
        _ body: @escaping @Sendable (WatchBench) async throws -> Void
    ) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let logged = LoggedMessages()
        let endpoint = RedisEndpoint.patient(server.port)
        let client = RedisClient(endpoint: endpoint, name: "test", eventLoop: loop)
        let store = PromptRedisStore(client: client)
        let progress = ProvisioningProgress()
        let tenants = TenantLookup(store: store, fixed: [101, 102])
        let cache = gate.map { gate in
            TrackedCache(
                tracking: GatedTracking(
                    tracking: RedisCacheTracking(endpoint: endpoint, eventLoop: loop), gate: gate),
                memory: ObjectMemory(limit: 1 << 20), states: ComponentStates(), logger: logged.logger)
        }
        let feed = ProvisioningFeed(
            region: "eu-west", journals: [east, west],
            tail: RedisProjectionTail(endpoint: endpoint, name: "watches", eventLoop: loop, entriesPerRead: 64),
            store: store, progress: progress, cache: cache, turnTime: turnTime, logger: logged.logger)
        let watches = ConfigWatches(feed: feed, tenants: tenants, catalog: .reads)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await client.run() }
            tasks.addTask { await feed.run() }
            if let cache { tasks.addTask { await cache.run() } }
            let limits: @Sendable (inout ListenerLimits) -> Void = { $0.outputBytes = outputBytes }
            let table = CommandTable(watches.commands)
            try await ServedPort.with(table, accounts: AccountStore(.reads), limits) { served in
                _ = try await client.connection()
                try await body(
                    WatchBench(
                        server: server, redis: client, progress: progress, feed: feed, cache: cache, logged: logged,
                        port: served.port))
            }
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

    /// Ends the session of memory, and has none begin before the gate is open again.
    func loseSession(_ gate: Gate) async throws {
        gate.isOpen = false
        for line in try await tell("CLIENT", "LIST").string?.split(separator: "\n") ?? []
        where line.contains("name=regionsync-invalidations ") {
            let id = line.split(separator: " ").first?.dropFirst("id=".count) ?? ""
            try await tell("CLIENT", "KILL", "ID", String(id))
        }
        try await until("there is no session") { cache?.session == nil }
    }

    func talk() throws -> PortTalk { try PortTalk(port: port) }

    /// A client that speaks RESP3.
    func watcher() async throws -> PortTalk {
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

/// Whether sessions with Redis may be opened.
final class Gate: Sendable {
    private let state = Mutex(true)

    var isOpen: Bool {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

private struct GatedTracking: CacheTracking {
    let tracking: RedisCacheTracking
    let gate: Gate

    func open(
        onInvalidation: @escaping @Sendable (CacheInvalidation) -> Void
    ) async throws(StoreFailure) -> any CacheSession {
        while !gate.isOpen {
            guard !Task.isCancelled else { throw .unreachable("nobody waits") }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return try await tracking.open(onInvalidation: onInvalidation)
    }
}

/// The push of a change in tenant 101, which stands at `ordinal` in its transaction.
func news(
    _ watch: Int, _ position: UInt64, _ event: String, _ type: String, _ key: String, _ data: String?,
    ordinal: UInt64 = 1
) -> String {
    ">8\r\n$3\r\ncfg\r\n:\(watch)\r\n" + bulk("\(position)-\(ordinal)") + bulk(event) + ":101\r\n" + bulk(type)
        + bulk(key) + (data.map { bulk($0) } ?? "_\r\n")
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
