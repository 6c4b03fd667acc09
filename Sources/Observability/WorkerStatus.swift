internal import Glibc

/// What a worker says of itself under `/status`: made from its metrics and its components' states, read by
/// `regionsync status` and by people. What is unknown is absent, never 0.
package struct WorkerStatus: Codable, Hashable, Sendable {
    package let region: String
    /// The worker's process, by the number that it has for itself; nil from a worker of a version that does not say it.
    package let process: Int?
    /// When the process began, in clock ticks since its host booted: two containers may have a process of one number each.
    /// Nil as `process`, and where the kernel does not say.
    package let processStartTicks: UInt64?
    /// Whether readers should be sent here; as `/readyz` says.
    package let ready: Bool
    /// What is awaited until it is ready.
    package let waitingFor: [String]
    package let components: [ComponentReport]
    /// By peer; none in a worker that stands by.
    package let links: [Link]
    /// Absent while no capture runs here.
    package let capture: Capture?
    package let projection: Projection?

    /// The mirror to one peer.
    package struct Link: Codable, Hashable, Sendable {
        package let peer: String
        /// Whether probes come back.
        package let up: Bool
        /// Age of the last probe that came back.
        package let lagSeconds: Double?
        /// Entries of own journals that the peer lacks; nil while that is not known of one of them.
        package let backlogEntries: Int?
        /// Entries that the peer acknowledged since the worker started.
        package let appended: Int
        /// Birth of an entry until the peer acknowledged it, since the worker started.
        package let latencyP50Ms: Double?
        package let latencyP99Ms: Double?
    }

    /// PostgreSQL into the journal.
    package struct Capture: Codable, Hashable, Sendable {
        /// Whether this region is the one that captures.
        package let capturing: Bool
        /// Whether the replication stream is open.
        package let connected: Bool
        package let historyNumber: Int?
        /// WAL that is written and not yet confirmed.
        package let lagBytes: Int?
        /// Age of the oldest committed transaction that is not in the journal.
        package let lagSeconds: Double?
        /// WAL that PostgreSQL keeps for our slot.
        package let retainedWALBytes: Int?
        /// Appended to the journal since the worker started.
        package let transactions: Int
    }

    /// Journals into the cache.
    package struct Projection: Codable, Hashable, Sendable {
        /// Entries that are not yet in state.
        package let lagEntries: Int?
        /// Entries folded since the worker started.
        package let applied: Int
        /// Commit in PostgreSQL until visible here, since the worker started.
        package let visibleP50Ms: Double?
        package let visibleP99Ms: Double?
    }
}

extension WorkerStatus {
    /// The status that these metrics and states show. `waitingFor` is empty for a worker that is ready.
    package init(region: String, waitingFor: [String], states: ComponentStates, metrics: MetricsSnapshot) {
        self.init(
            region: region, process: Int(getpid()), processStartTicks: ProcessMetrics.startTicks,
            ready: waitingFor.isEmpty, waitingFor: waitingFor, components: states.reports,
            links: Self.links(metrics), capture: Capture(metrics), projection: Projection(metrics))
    }

    private static func links(_ metrics: MetricsSnapshot) -> [Link] {
        let peers = Set(
            (metrics.families[.mirrorLinkUp] ?? [:]).keys.compactMap {
                MetricFamily.mirrorLinkUp.value(of: .peer, in: $0)
            })
        return peers.sorted().map { peer in
            let latency = metrics.histogram(.mirrorLatencySeconds, [.peer: peer])
            return Link(
                peer: peer, up: metrics.number(.mirrorLinkUp, [.peer: peer]) == 1,
                lagSeconds: metrics.number(.mirrorLagSeconds, [.peer: peer]),
                backlogEntries: metrics.backlog(of: peer),
                appended: Int(metrics.sum(of: .mirrorAppended, where: .peer, is: peer) ?? 0),
                latencyP50Ms: latency?.milliseconds(0.5), latencyP99Ms: latency?.milliseconds(0.99))
        }
    }
}

extension WorkerStatus.Capture {
    fileprivate init?(_ metrics: MetricsSnapshot) {
        guard let capturing = metrics.number(.capturing) else { return nil }
        self.init(
            capturing: capturing == 1, connected: metrics.number(.captureConnected) == 1,
            historyNumber: metrics.number(.historyNumber).map { Int($0) },
            lagBytes: metrics.number(.captureLagBytes).map { Int($0) },
            lagSeconds: metrics.number(.captureLagSeconds),
            retainedWALBytes: metrics.number(.captureSlotRetainedWALBytes).map { Int($0) },
            transactions: Int(metrics.number(.captureTransactions) ?? 0))
    }
}

extension WorkerStatus.Projection {
    fileprivate init?(_ metrics: MetricsSnapshot) {
        let applied = metrics.number(.projectionApplied)
        let lag = metrics.sum(of: .projectionLagEntries)
        guard applied != nil || lag != nil else { return nil }
        let visible = metrics.histogram(.commitToVisibleSeconds)
        self.init(
            lagEntries: lag.map { Int($0) }, applied: Int(applied ?? 0), visibleP50Ms: visible?.milliseconds(0.5),
            visibleP99Ms: visible?.milliseconds(0.99))
    }
}

extension MetricsSnapshot {
    /// Entries that a peer lacks; nil while that is not known of each topic that is shipped to it.
    fileprivate func backlog(of peer: String) -> Int? {
        func topics(of family: MetricFamily) -> Int {
            (families[family] ?? [:]).keys.count { family.value(of: .peer, in: $0) == peer }
        }
        guard topics(of: .mirrorLagEntries) >= topics(of: .mirrorAppended) else { return nil }
        return sum(of: .mirrorLagEntries, where: .peer, is: peer).flatMap { Int(exactly: $0) }
    }

    /// The sum of all series of a family, or of those where a label has this value; nil when there are none.
    fileprivate func sum(of family: MetricFamily, where label: MetricLabel? = nil, is value: String = "") -> Double? {
        var sum: Double?
        for (labels, content) in families[family] ?? [:] {
            guard case .number(let number) = content else { continue }
            if let label, family.value(of: label, in: labels) != value { continue }
            sum = (sum ?? 0) + number
        }
        return sum
    }
}

extension MetricFamily {
    /// The value of a label among the values of a series.
    fileprivate func value(of label: MetricLabel, in values: [String]) -> String? {
        labels.firstIndex(of: label).map { values[$0] }
    }
}

extension HistogramSnapshot {
    fileprivate func milliseconds(_ rank: Double) -> Double? {
        quantile(rank).map { ($0 * 1e6).rounded() / 1e3 }
    }
}
