import ConfigListener
import Dispatch
import Journal
import Logging
import NIOPosix
import Observability
import Projection
import RESP
import RESPServer
import RegionConfig
import Synchronization
import Tenants
import VoiceListener

/// Both ports of a region on loopback, everything behind them made up. They are served for as long as the process lives.
final class FuzzedPorts: Sendable {
    static let shared = FuzzedPorts()

    let temper: Temper
    let config: Int
    let voice: Int

    private static let region = "us-east"
    private static let silent = Logger(label: "fuzz", factory: { _ in SwiftLogNoOpLogHandler() })
    private static let catalog = Catalog(tables: [
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person"), type: "person", key: ["dbid"],
            tenant: "tenant_dbid",
            indexes: [
                CatalogIndex(field: "user_name", unique: true), CatalogIndex(field: "place_dbid", unique: false),
            ], omit: ["password_hash"]),
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person_skill"), type: "person_skill",
            key: ["person_dbid", "skill_dbid"], tenant: "tenant_dbid"),
        CatalogTable(
            table: TableName(schema: "provisioning", name: "tenant"), type: "tenant", key: ["dbid"], tenant: "dbid"),
    ])

    private init() {
        let temper = Temper()
        let store = FakeStore(temper: temper)
        let tenants = TenantLookup(store: store, fixed: Array(101...108), spacing: .zero)
        self.temper = temper
        config = Self.provisioning(store, tenants, temper)
        voice = Self.voiceEvents(store, tenants, temper)
        Task.detached { await tenants.run() }
    }

    private static func provisioning(_ store: FakeStore, _ tenants: TenantLookup, _ temper: Temper) -> Int {
        let states = ComponentStates()
        let progress = ProvisioningProgress()
        let cache = TrackedCache(
            tracking: FakeTracking(store: store), memory: ObjectMemory(limit: 1 << 20), states: states, logger: silent)
        let reads = ConfigReads(
            region: region, cache: cache, tenants: tenants, catalog: catalog, waiting: FakeTokens(),
            progress: progress, states: states)
        let feed = ProvisioningFeed(
            region: region, journals: [.provisioning(origin: region)], tail: SilentTail(), store: store,
            progress: progress, cache: cache, logger: silent)
        let watches = ConfigWatches(feed: feed, tenants: tenants, catalog: catalog)
        let writes = ConfigWrites(database: FakeDatabase(temper: temper), tenants: tenants, catalog: catalog)
        Task.detached { await cache.run() }
        Task.detached { await reads.run() }
        Task.detached { await feed.run() }
        return serve(
            "config",
            CommandTable(
                reads.commands + watches.commands + writes.commands, transaction: { await writes.transaction($0) },
                information: { [reads.information] }))
    }

    private static func voiceEvents(_ store: FakeStore, _ tenants: TenantLookup, _ temper: Temper) -> Int {
        let feed = VoiceFeed(
            store: store, tail: { _, _ in FakeTail() }, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            states: ComponentStates(), logger: silent)
        let reads = VoiceReads(feed: feed, store: store, tenants: tenants, region: region, peers: ["eu-west"])
        let writes = VoiceWrites(
            region: region, store: store, tenants: tenants, peers: [FakeCopies(temper: temper)], logger: silent)
        let states = VoiceStates(store: store, tenants: tenants)
        Task.detached { await feed.run() }
        return serve("voice", CommandTable(reads.commands + writes.commands + states.commands))
    }

    /// Serves a table on a free port; returns when it is open.
    private static func serve(_ label: String, _ table: CommandTable) -> Int {
        var settings = RESPServer.Settings(
            host: "127.0.0.1", port: 0, label: label, identity: ServerIdentity(version: "fuzz"))
        // Nobody is cut off because the machine is busy.
        settings.limits.handshakeTime = .seconds(600)
        settings.limits.stallTime = .seconds(600)
        // One source fails again and again.
        settings.limits.logins.freeFailures = 1 << 40
        let accounts = Accounts(
            [], anonymous: Account(name: "default", permissions: [.read, .write, .control], tenants: .all))
        let isOpen = DispatchSemaphore(value: 0)
        let found = PortNumber()
        let server = RESPServer(
            settings, table: table, accounts: AccountStore(accounts), registry: MetricsRegistry(), logger: silent,
            onListening: {
                found.set($0)
                isOpen.signal()
            })
        Task.detached { try? await server.run() }
        isOpen.wait()
        return found.value
    }
}

/// How the servers behind the ports are disposed, for one input.
final class Temper: Sendable {
    private let value = Atomic<UInt8>(0)

    func set(_ value: UInt8) { self.value.store(value, ordering: .relaxed) }

    /// What becomes of a question: 0 to 5 go wrong, each in its own way, everything else well. The same for the same question
    /// and temper.
    func die(for question: some Sequence<UInt8>) -> UInt64 {
        let temper = value.load(ordering: .relaxed)
        guard temper >= 0x80 else { return .max }
        var hash = 0xcbf2_9ce4_8422_2325 ^ UInt64(temper)
        for byte in question { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return (hash >> 32) % 12
    }
}

/// A port that is not known yet.
private final class PortNumber: Sendable {
    private let number = Atomic<Int>(0)

    var value: Int { number.load(ordering: .acquiring) }

    func set(_ port: Int) { number.store(port, ordering: .releasing) }
}

/// Provisioning journals in which nothing happens.
private struct SilentTail: JournalTail {
    func read(behind cursors: [JournalCursor], patience: Duration) async throws(StoreFailure) -> [JournalRead] { [] }

    func close() async {}
}
