internal import NIOCore
internal import NIOPosix

/// The proxy's conditions and connections; belongs to its event loop.
final class ProxyCore {
    /// The kernel's share of what is on its way, one direction of one connection: small, so that the line holds the rest.
    static let socketBytes = 256 << 10
    /// More clients are turned away.
    private static let mostConnections = 4096

    private let host: String
    private let port: Int
    private let eventLoop: any EventLoop
    private var conditions: [Direction: LinkConditions]
    private var isRefusing = false
    private var flapping: Scheduled<Void>?
    private var relays: [ObjectIdentifier: Relay] = [:]
    private var accepted = 0
    /// Of connections that are closed.
    private var passedBytes: [Direction: Int] = [:]

    init(host: String, port: Int, eventLoop: any EventLoop) {
        self.host = host
        self.port = port
        self.eventLoop = eventLoop
        conditions = Dictionary(uniqueKeysWithValues: Direction.allCases.map { ($0, LinkConditions()) })
    }

    var statistics: ProxyStatistics {
        ProxyStatistics(
            atNs: NIODeadline.now().uptimeNanoseconds, connections: relays.count, accepted: accepted,
            bytesThere: bytes(.there), bytesBack: bytes(.back),
            queuedBytes: relays.values.reduce(0) { $0 + $1.queuedBytes })
    }

    private func bytes(_ direction: Direction) -> Int {
        relays.values.reduce(passedBytes[direction, default: 0]) { $0 + $1.passedBytes(direction) }
    }

    // MARK: Connections

    /// A client connected; nothing has been read from it.
    func accepted(_ client: any Channel) throws {
        guard !isRefusing, relays.count < Self.mostConnections else { return client.reset() }
        accepted += 1
        let relay = Relay(client: client, conditions: conditions) { self.ended($0) }
        relays[ObjectIdentifier(relay)] = relay
        try client.pipeline.syncOperations.addHandler(RelayEnd(relay, sending: .there))
        let bound = NIOLoopBound(relay, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_rcvbuf), value: Self.socketBytes)
            .channelOption(.socketOption(.so_sndbuf), value: Self.socketBytes)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(RelayEnd(bound.value, sending: .back))
                }
            }
            .connect(host: host, port: port)
            .assumeIsolated().whenComplete { result in
                switch result {
                case .success(let server): relay.connected(to: server)
                case .failure: relay.reset()
                }
            }
    }

    private func ended(_ relay: Relay) {
        relays[ObjectIdentifier(relay)] = nil
        for direction in Direction.allCases { passedBytes[direction, default: 0] += relay.passedBytes(direction) }
    }

    // MARK: Orders

    func perform(_ order: ProxyOrder) {
        switch order {
        case .delay(let delay, let directions): change(directions) { $0.delay = delay }
        case .rate(let rate, let directions): change(directions) { $0.bytesPerSecond = rate }
        case .pass(let passage, let directions): change(directions) { $0.passage = passage }
        case .heal:
            flapping?.cancel()
            flapping = nil
            change(Direction.allCases) { $0.passage = .open }
        case .flap(let up, let down):
            flapping?.cancel()
            flap(toward: .open, up: up, down: down)
        case .reset: for relay in relays.values { relay.reset() }
        case .resetAfter(let bytes, let directions):
            for relay in relays.values {
                for direction in directions { relay.arm(resetAfter: bytes, direction) }
            }
        case .refuse: isRefusing = true
        case .accept: isRefusing = false
        case .stats: break
        }
    }

    private func change(_ directions: [Direction], _ change: (inout LinkConditions) -> Void) {
        for direction in directions {
            guard var conditions = conditions[direction] else { continue }
            change(&conditions)
            self.conditions[direction] = conditions
            for relay in relays.values { relay.changed(conditions, direction) }
        }
        let isOpen = conditions.values.allSatisfy { $0.passage == .open }
        for relay in relays.values { relay.settle(isOpen: isOpen) }
    }

    private func flap(toward passage: LinkConditions.Passage, up: Duration, down: Duration) {
        change(Direction.allCases) { $0.passage = passage }
        let time = TimeAmount(passage == .open ? up : down)
        flapping = eventLoop.assumeIsolated().scheduleTask(in: time) {
            self.flap(toward: passage == .open ? .cut : .open, up: up, down: down)
        }
    }
}
