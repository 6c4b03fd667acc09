internal import ConfigListener
internal import Connections
internal import Journal
internal import Logging
internal import Mirror
internal import NIOCore
internal import Observability
internal import Projection
internal import RESPServer
internal import RedisClient
internal import RegionConfig
internal import Tenants
internal import VoiceListener

/// The one table of the ports that clients use: what answers on each, and what must run for it.
struct ClientPorts: Sendable {
    /// Those that tell how the ports are, and what runs for them alone.
    static let components =
        ["config", "voice"].map { Listeners.component($0) }
        + [ListenerFiles.component, TrackedCache.component, VoiceFeed.component]

    /// Bytes of one answer of Redis to a client's read, at most.
    private static let readBytes = 64 << 20

    private let region: Region
    private let tenants: TenantLookup
    private let client: RedisClient
    /// For reads that are as large or as many as clients like: one too large ends the connection, and others' commands with
    /// it.
    private let readingClient: RedisClient
    private let reads: ConfigReads
    private let cache: TrackedCache
    private let database: PostgresProvisioning?
    private let writes: ConfigWrites
    private let changes: ProvisioningFeed
    private let watches: ConfigWatches
    private let feed: VoiceFeed
    private let voiceReads: VoiceReads
    private let voiceWrites: VoiceWrites
    private let voiceStates: VoiceStates

    /// Entries of a provisioning journal that are read together for who watches.
    private static let entriesPerPage = 256

    /// - Parameters:
    ///   - region: Whose ports they are.
    ///   - links: Those that ship the region's journals.
    ///   - progress: How far provisioning is projected here.
    ///   - eventLoop: Where the connections to the region's Redis are.
    ///   - states: Where it says how it is.
    ///   - metrics: Where it counts.
    ///   - logger: Makes the logger of a component.
    init(
        _ region: Region, links: [MirrorLink], progress: ProvisioningProgress, on eventLoop: any EventLoop,
        states: ComponentStates, metrics: MetricsRegistry, logger: (String) -> Logger
    ) {
        self.region = region
        let endpoint = RedisEndpoint(region.redis)
        client = RedisClient(endpoint: endpoint, name: "regionsync-listeners", eventLoop: eventLoop)
        let store = PromptRedisStore(client: client)
        var readingEndpoint = endpoint
        readingEndpoint.replyBytes = Self.readBytes
        readingClient = RedisClient(endpoint: readingEndpoint, name: "regionsync-listeners-reads", eventLoop: eventLoop)
        let readingStore = PromptRedisStore(client: readingClient)
        tenants = TenantLookup(store: store, fixed: region.tenants)
        let memory = ObjectMemory(limit: region.listeners.limits.memoryBytes)
        if region.listeners.config != nil { memory.install(in: metrics) }
        cache = TrackedCache(
            tracking: RedisCacheTracking(endpoint: endpoint, eventLoop: eventLoop), memory: memory, states: states,
            logger: logger("memory"))
        let tokens = JournalTokens(
            region: region.name, peers: region.peers.map(\.region), store: readingStore, progress: progress)
        reads = ConfigReads(
            region: region.name, cache: cache, tenants: tenants, catalog: region.catalog, waiting: tokens,
            progress: progress, states: states)
        database = region.postgresWriters(purpose: "writes").map {
            PostgresProvisioning(servers: $0, logger: logger("writes"))
        }
        writes = ConfigWrites(
            database: database ?? NoWriter(), tenants: tenants, catalog: region.catalog,
            publication: region.postgres.publication, progress: progress)
        changes = ProvisioningFeed(
            region: region.name,
            journals: ([region.name] + region.peers.map(\.region)).map { JournalName.provisioning(origin: $0) },
            tail: RedisProjectionTail(
                endpoint: endpoint, name: "watches", eventLoop: eventLoop, entriesPerRead: Self.entriesPerPage),
            store: store, progress: progress, cache: cache, logger: logger("watches"))
        watches = ConfigWatches(feed: changes, tenants: tenants, catalog: region.catalog)
        let client = client
        let voiceLogger = logger("voice")
        feed = VoiceFeed(
            store: store,
            tail: { (reader, eventLoop) async throws(StoreFailure) -> any VoiceTail in
                try await RedisVoiceTail.open(
                    endpoint: endpoint, name: "listeners-\(reader)", eventLoop: eventLoop, client: client,
                    logger: voiceLogger)
            }, eventLoop: eventLoop, executor: { EventLoopTaskExecutor($0) }, states: states, logger: voiceLogger)
        if region.listeners.voice != nil { feed.install(in: metrics) }
        voiceReads = VoiceReads(
            feed: feed, store: readingStore, tenants: tenants, region: region.name, peers: region.peers.map(\.region))
        voiceWrites = VoiceWrites(
            region: region.name, store: store, tenants: tenants, peers: links.map { LinkedCopies($0) },
            logger: voiceLogger)
        voiceStates = VoiceStates(store: store, tenants: tenants)
    }

    /// Those of the region file's ports that are served.
    var ports: [Listeners.Port] {
        [
            region.listeners.config.map { .init(name: "config", listener: $0, table: configTable) },
            region.listeners.voice.map { .init(name: "voice", listener: $0, table: voiceTable) },
        ].compactMap(\.self)
    }

    private var configTable: CommandTable {
        CommandTable(
            reads.commands + watches.commands + writes.commands, transaction: { await writes.transaction($0) },
            information: { [reads.information] })
    }

    private var voiceTable: CommandTable {
        CommandTable(voiceReads.commands + voiceWrites.commands + voiceStates.commands)
    }

    /// Objects of a type were put right in the region's cache.
    func repaired(_ type: String) {
        guard region.listeners.config != nil else { return }
        changes.repaired(type)
    }

    /// Runs what the commands need, until cancelled.
    func run() async {
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await client.run() }
            tasks.addTask { await readingClient.run() }
            tasks.addTask { await tenants.run() }
            if region.listeners.config != nil {
                tasks.addTask { await cache.run() }
                tasks.addTask { await reads.run() }
                tasks.addTask { await changes.run() }
                if let database { tasks.addTask { await database.run() } }
            }
            if region.listeners.voice != nil { tasks.addTask { await feed.run() } }
        }
    }
}
