internal import ConfigListener
internal import Connections
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
    private let region: Region
    private let tenants: TenantLookup
    private let client: RedisClient
    private let reads: ConfigReads
    private let cache: TrackedCache
    private let voiceWrites: VoiceWrites
    private let voiceStates: VoiceStates

    /// - Parameters:
    ///   - region: Whose ports they are.
    ///   - links: Those that ship the region's journals.
    ///   - progress: How far provisioning is projected here.
    ///   - eventLoop: Where the connections to the region's Redis are.
    ///   - states: Where it says how it is.
    ///   - logger: Makes the logger of a component.
    init(
        _ region: Region, links: [MirrorLink], progress: ProvisioningProgress, on eventLoop: any EventLoop,
        states: ComponentStates, logger: (String) -> Logger
    ) {
        self.region = region
        let endpoint = RedisEndpoint(region.redis)
        client = RedisClient(endpoint: endpoint, name: "regionsync-listeners", eventLoop: eventLoop)
        let store = PromptRedisStore(client: client)
        tenants = TenantLookup(store: store, fixed: region.tenants)
        cache = TrackedCache(
            tracking: RedisCacheTracking(endpoint: endpoint, eventLoop: eventLoop),
            memory: ObjectMemory(limit: region.listeners.limits.memoryBytes), states: states,
            logger: logger("memory"))
        reads = ConfigReads(
            region: region.name, cache: cache, tenants: tenants, catalog: region.catalog, waiting: NoTokens(),
            progress: progress, states: states)
        voiceWrites = VoiceWrites(
            region: region.name, store: store, tenants: tenants, peers: links.map { LinkedCopies($0) })
        voiceStates = VoiceStates(store: store, tenants: tenants)
    }

    /// Those of the region file's ports that are served.
    var ports: [Listeners.Port] {
        [
            region.listeners.config.map { .init(name: "config", listener: $0, table: CommandTable(reads.commands)) },
            region.listeners.voice.map {
                .init(
                    name: "voice", listener: $0, table: CommandTable(voiceWrites.commands + voiceStates.commands))
            },
        ].compactMap(\.self)
    }

    /// Runs what the commands need, until cancelled.
    func run() async {
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await client.run() }
            tasks.addTask { await tenants.run() }
            if region.listeners.config != nil { tasks.addTask { await cache.run() } }
        }
    }
}

struct NoTokens: TokenWaiting {
    func wait(for token: WriteToken, within patience: Duration) async -> TokenVerdict { .unknown }
}
