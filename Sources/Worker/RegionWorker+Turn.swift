internal import Capture
internal import Connections
internal import Journal
internal import Mirror
internal import NIOCore
internal import NIOPosix
internal import Observability
internal import Projection
internal import RedisClient
internal import RegionConfig

/// What lasts from when a worker takes its region's lease until another worker has had it: the ports, with their clients, and
/// what is known through the region's work, which ends with a lease that is lost and begins again when it is back.
struct WorkerTurn: Sendable {
    /// How far provisioning is projected; confirmed only while the work is done.
    let progress: ProvisioningProgress
    /// They ship while the work is done. Who waits for what a peer is to hold waits until they do so again.
    let links: [MirrorLink]
    /// Nil where the region serves no clients.
    let clients: ClientPorts?
}

extension RegionWorker {
    /// Components that the worker has whether or not it holds the lease.
    static let ownComponents = [component, LocalRedis.component, LeaseKeeper.component]

    /// Serves clients, and does the region's work whenever it holds the lease, until another worker has had that: what was
    /// done meanwhile is not known here, so that clients are to find out by connecting again.
    func turn(
        of keeper: LeaseKeeper, beside local: LocalRedis, on loops: MultiThreadedEventLoopGroup,
        clients clientLoop: (any EventLoop)?
    ) async {
        let turn = begunTurn(on: loops, clients: clientLoop)
        await withDiscardingTaskGroup { tasks in
            if let clients = turn.clients { tasks.addTask { await serve(clients, beside: local) } }
            await keeper.work { await work(in: turn, beside: local, on: loops) }
            tasks.cancelAll()
        }
        forgetStates(but: Self.ownComponents)
    }

    /// Serves the ports from when the region's Redis can be trusted, until cancelled.
    private func serve(_ clients: ClientPorts, beside local: LocalRedis) async {
        guard await local.becomesUsable() else { return }
        let listeners = Listeners(
            region: region, open: openPorts, states: states, metrics: metrics, logger: logger("listener"))
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await clients.run() }
            tasks.addTask { await listeners.run(clients.ports) }
        }
    }

    private func begunTurn(on loops: MultiThreadedEventLoopGroup, clients clientLoop: (any EventLoop)?) -> WorkerTurn {
        let progress = ProvisioningProgress()
        let links = region.peers.map { link(to: $0, on: loops.next(), telling: progress) }
        let clients = clientLoop.map { loop in
            ClientPorts(
                region, links: links, progress: progress, on: loop, states: states, metrics: metrics, logger: logger)
        }
        return WorkerTurn(progress: progress, links: links, clients: clients)
    }

    /// It tells the peer how far `progress` is, while this region captures.
    private func link(
        to peer: Region.Peer, on loop: any EventLoop, telling progress: ProvisioningProgress
    ) -> MirrorLink {
        MirrorLink(
            settings: MirrorSettings(
                region: region.name, peer: peer.region, windowBytes: peer.windowBytes,
                journalsPerReader: region.limits.streamsPerReader, batchEntries: min(region.limits.entriesPerRead, 512)),
            connector: RedisMirrorConnector(
                region: region.name, local: RedisEndpoint(region.redis), remote: RedisEndpoint(peer.redis),
                eventLoop: loop),
            report: MirrorReport(
                peer: peer.region, states: states, metrics: metrics, logger: logger("mirror")), eventLoop: loop,
            captured: { [states] in Capture.streams(states) ? progress.completed : nil })
    }

    /// What else there is has ended.
    func forgetStates(but lasting: [String]) {
        for report in states.reports where !lasting.contains(report.component) { states.remove(report.component) }
    }
}
