internal import Journal
package import Logging
package import Observability
internal import RESP
package import RedisClient

/// Watches whether peers' clocks are ahead of this region's, by the newest entry in the copies of their control journals.
///
/// By entry IDs the later login of an agent wins, so while clocks differ the wrong one may (domain.md, "Agents").
package actor ClockWatch {
    private struct Peer {
        let region: String
        let gauge: Gauge
        var skew = ClockSkew()

        var component: String { "clock \(region)" }
    }

    private var peers: [Peer]
    private let client: RedisClient
    private let states: ComponentStates
    private let logger: Logger

    /// Looks into the region's own Redis through `client`.
    package init(
        peers: [String], client: RedisClient, states: ComponentStates, metrics: MetricsRegistry, logger: Logger
    ) {
        self.peers = peers.map { Peer(region: $0, gauge: metrics.gauge(.clockAheadSeconds, [.peer: $0])) }
        self.client = client
        self.states = states
        self.logger = logger
    }

    /// Looks about once a second, until cancelled.
    package func run() async {
        let began = ContinuousClock.now
        while !Task.isCancelled {
            if case .connected(let connection) = await client.state {
                await look(through: connection, at: began.duration(to: .now))
            }
            // Not in step with the peers' probes, so that now and then one is seen that is quite new.
            try? await Task.sleep(for: .milliseconds(Int.random(in: 700...1300)))
        }
    }

    /// One look, at `time` by a clock that does not jump.
    package func look(through connection: RedisConnection, at time: Duration) async {
        let questions = peers.map { peer in
            RedisCommand("XREVRANGE", JournalName.control(origin: peer.region).key, "+", "-", "COUNT", "1")
        }
        // The clock is read last: no entry was there later.
        let answers = await connection.pipeline(questions + [RedisCommand("INFO", "server")])
        let clock = answers.last.flatMap { try? $0.get() }.flatMap { ServerInfo($0)["server_time_usec"] }
        for index in peers.indices {
            if let newest = try? answers[index].get()[0]?[0]?.entryID, let local = clock.flatMap({ Int64($0) }) {
                peers[index].skew.seen(newest, local: local, at: time)
            } else {
                peers[index].skew.notSeen(at: time)
            }
            show(peers[index])
        }
    }

    private func show(_ peer: Peer) {
        let ahead = peer.skew.ahead
        peer.gauge.set(ahead?.inSeconds)
        let wasAhead = states.state(of: peer.component) != nil
        guard let ahead, ahead >= ClockSkew.tolerance else {
            guard wasAhead else { return }
            states.remove(peer.component)
            return logger.info("A peer's clock is not seen ahead any more", [.peer: "\(peer.region)"])
        }
        // To 0.1 s: the bound wavers with the age of what was seen.
        let seconds = (ahead.inSeconds * 10).rounded(.down) / 10
        states.set(
            peer.component,
            ComponentState(
                "ahead", .degraded,
                reason: "entries from \(peer.region) come from \(seconds) s or more in this region's future",
                advice: "set the clocks of both regions' Redis hosts by NTP (chronyc tracking); until then the earlier "
                    + "of an agent's logins in two regions may win"))
        guard !wasAhead else { return }
        logger.warning(
            "A peer's clock is ahead of this region's", [.peer: "\(peer.region)", .duration: "\(seconds) s"])
    }
}
