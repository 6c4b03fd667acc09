internal import Capture
internal import Connections
internal import Journal
package import Logging
internal import Mirror
internal import NIOCore
internal import NIOPosix
internal import PostgresClient
internal import Projection
package import Observability
internal import Reconciliation
internal import RedisClient
package import RegionConfig
internal import ServiceLifecycle

/// One region's worker: a region file becomes running services.
///
/// It starts in any order with its servers, waits for what is missing and says for what; it stops when its service group
/// shuts down gracefully.
package struct RegionWorker: Service {
    /// What `regionsync --version` and the metric `build_info` say.
    package static let version = "0.1.0"
    static let component = "worker"

    package let region: Region
    private let tenure = CaptureTenure()
    let openPorts = OpenPorts()
    /// What the components say of themselves; read by `/status` and `/readyz`.
    package let states = ComponentStates()
    package let metrics = MetricsRegistry()
    /// Whether journals are folded into state; off only to measure the rest alone.
    let projects: Bool
    let logger: @Sendable (String) -> Logger

    /// A worker for `region`; `logger` makes the logger of a component.
    package init(region: Region, projects: Bool = true, logger: @escaping @Sendable (String) -> Logger) {
        self.region = region
        self.projects = projects
        self.logger = logger
        states.install(in: metrics)
        ProcessMetrics.install(in: metrics)
        metrics.gauge(.buildInfo, [.version: Self.version, .region: region.name]).set(1)
    }

    package func run() async throws {
        states.set(Self.component, ComponentState("running", .working))
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await self.work() }
                tasks.addTask {
                    try? await gracefulShutdown()
                    // Clients first: what they have begun needs everything else.
                    await self.openPorts.allClosed()
                }
                await tasks.next()
                tasks.cancelAll()
            }
        } onGracefulShutdown: {
            states.set(Self.component, ComponentState("draining", .waiting))
        }
    }

    private func work() async {
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        // Clients wait for what comes through it, and not for what the worker has to do besides.
        let clientLoop = servesClients ? MultiThreadedEventLoopGroup(numberOfThreads: 1) : nil
        await work(on: loops, clients: clientLoop?.next())
        try? await clientLoop?.shutdownGracefully()
        try? await loops.shutdownGracefully()
    }

    private var servesClients: Bool {
        projects && (region.listeners.config != nil || region.listeners.voice != nil)
    }

    private func work(on loops: MultiThreadedEventLoopGroup, clients clientLoop: (any EventLoop)?) async {
        let endpoint = RedisEndpoint(region.redis)
        let local = LocalRedis(
            endpoint: endpoint, eventLoop: loops.next(), states: states, logger: logger("redis"))
        let keeper = LeaseKeeper(
            endpoint: endpoint, eventLoop: loops.next(), states: states, logger: logger("lease"))
        let tenants = TenantMetrics(
            LabelledTenants(first: region.tenants.map(String.init), limit: region.limits.labelledTenants),
            client: local.client, metrics: metrics, health: { healthLevel }, redis: { redisLevel },
            clients: { configClients })
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await local.client.run() }
            tasks.addTask { await tenants.run() }
            let certificates = CertificateWatch(of: region, metrics: metrics, logger: logger("certificates"))
            tasks.addTask { await certificates.run() }
            tasks.addTask { await local.watch() }
            await keeper.run { await turn(of: keeper, beside: local, on: loops, clients: clientLoop) }
        }
    }

    /// The region's work, which one of its workers does at a time: until cancelled.
    func work(in turn: WorkerTurn, beside local: LocalRedis, on loops: MultiThreadedEventLoopGroup) async {
        guard await local.becomesUsable() else { return }
        let (links, progress) = (turn.links, turn.progress)
        await withDiscardingTaskGroup { tasks in
            // A link's tasks stay on its loop: a wake of the global executor a batch would cost more than the batch.
            for link in links {
                tasks.addTask(executorPreference: EventLoopTaskExecutor(link.eventLoop)) { await link.run() }
            }
            let directory = TenantDirectory(
                region: region.name, fixed: region.tenants.map(String.init), client: local.client, links: links)
            tasks.addTask { await directory.run() }
            let trimmer = Trimmer(
                settings: Trimmer.Settings(
                    region: region.name, peers: region.peers.map(\.region), tenants: region.tenants.map(String.init),
                    minimumAge: region.retention.minimum, maximumBytes: region.retention.maximumBytes),
                client: local.client, links: links, states: states, metrics: metrics, logger: logger("trim"))
            tasks.addTask { await trimmer.run() }
            let clocks = ClockWatch(
                peers: region.peers.map(\.region), client: local.client, states: states, metrics: metrics,
                logger: logger("clock"))
            tasks.addTask { await clocks.run() }
            if projects {
                // Voice readers wait, and their store answers, on one loop; provisioning uses the other and the pool.
                let (loop, voiceLoop) = (loops.next(), loops.next())
                let provisioning = store("provisioning", on: loop)
                let voice = store("voice", on: voiceLoop)
                for store in [provisioning, voice] { tasks.addTask { await store.run() } }
                let projector = projector(
                    into: provisioning, on: loop, and: voice, on: voiceLoop, telling: progress)
                tasks.addTask { await projector.run(voiceExecutor: EventLoopTaskExecutor(voiceLoop)) }
            }
            let cache = projects ? CachedObjects(store: RedisProjectionStore(client: local.client)) : nil
            if let cache {
                let verification = verification(of: cache) { turn.clients?.repaired($0) }
                tasks.addTask { await verification.run() }
            }
            let source = captureSource(cache)
            let journal = captureJournal(on: loops.next())
            let capture = capture(from: source, into: journal, cache, telling: progress)
            tasks.addTask { await tenure.keep() }
            tasks.addTask {
                await capture.run()
                // Work that ends for any other reason, such as a lease that was lost, may begin again late or never.
                if Task.isShuttingDownGracefully { await journal.release() }
                await source.close()
            }
        }
        forgetStates(but: Self.ownComponents + ClientPorts.components)
    }

    private func store(_ name: String, on loop: any EventLoop) -> RedisClient {
        RedisClient(endpoint: RedisEndpoint(region.redis), name: "regionsync-\(name)", eventLoop: loop)
    }

    private func projector(
        into provisioning: RedisClient, on loop: any EventLoop, and voice: RedisClient, on voiceLoop: any EventLoop,
        telling progress: ProvisioningProgress
    ) -> Projector {
        var settings = VoiceProjection.Settings(region: region.name, peers: region.peers.map(\.region))
        settings.tenants = region.tenants.map(String.init)
        settings.streamsPerReader = region.limits.streamsPerReader
        settings.callRecordTime = region.limits.callRecordTime
        var limits = ProvisioningFold.Limits()
        limits.wholeObjects = region.limits.objectsPerApply
        let endpoint = RedisEndpoint(region.redis)
        let entriesPerRead = region.limits.entriesPerRead
        return Projector(
            catalog: region.catalog, settings: settings, limits: limits,
            provisioningStore: RedisProjectionStore(client: provisioning),
            voiceStore: RedisProjectionStore(client: voice),
            tail: {
                RedisProjectionTail(
                    endpoint: endpoint, name: $0, eventLoop: $0 == "provisioning" ? loop : voiceLoop,
                    entriesPerRead: entriesPerRead)
            }, report: ProjectionReport(states: states, metrics: metrics, logger: logger("projection")),
            progress: progress)
    }

    private func captureSource(_ cache: CachedObjects?) -> PostgresCaptureSource {
        let servers = region.postgresServers(purpose: "capture")
        return PostgresCaptureSource(
            region: region.name, catalog: region.catalog, publication: region.postgres.publication,
            slot: region.postgres.slot, readerCount: region.postgres.snapshotReaders,
            options: servers[0], others: Array(servers.dropFirst()), cache: cache)
    }

    private func captureJournal(on loop: any EventLoop) -> RedisCaptureJournal {
        RedisCaptureJournal(
            region: region.name, endpoint: RedisEndpoint(region.redis),
            peers: region.peers.map { RedisEndpoint($0.redis) }, run: tenure.begin(), eventLoop: loop)
    }

    private func capture(
        from source: PostgresCaptureSource, into journal: RedisCaptureJournal, _ cache: CachedObjects?,
        telling progress: ProvisioningProgress
    ) -> Capture {
        var settings = Capture.Settings()
        if !region.peers.isEmpty { settings.healPatience = .seconds(3) }
        settings.retainedWALLimit = UInt64(region.limits.retainedWALBytes)
        return Capture(
            catalog: region.catalog, source: source, journal: journal, cache: cache.map { ProjectedCache($0) },
            role: region.peers.isEmpty ? nil : journal, settings: settings,
            metrics: CaptureMetrics(metrics, catalog: region.catalog), states: states, logger: logger("capture"),
            captured: { progress.captured(upTo: $0) })
    }

    /// It tells `repaired` of which types it has put objects right.
    private func verification(
        of cache: CachedObjects, repaired: @escaping @Sendable (_ type: String) -> Void
    ) -> ContinuousVerification {
        ContinuousVerification(
            settings: region.verification, catalog: region.catalog,
            source: PostgresRepairSource(
                catalog: region.catalog, publication: region.postgres.publication,
                servers: region.postgresServers(purpose: "verification")),
            cache: cache, states: states, metrics: metrics, logger: logger("verification"), repaired: repaired)
    }
}
