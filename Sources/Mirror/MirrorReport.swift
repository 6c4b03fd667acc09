internal import Journal
package import Logging
package import Observability

/// Where a link says how it is doing: states for people, metrics, log lines.
package struct MirrorReport: Sendable {
    /// The link's name among the components: `mirror <peer>`.
    package let component: String
    private let states: ComponentStates
    private let logger: Logger
    private let metrics: MetricsRegistry
    private let peer: String
    let linkUp: Gauge
    let lag: Gauge
    let latency: Histogram
    let inflightBytes: Gauge
    let sentBytes: Counter
    let fenced: Counter
    private let appended: [Topic: Counter]
    private let backlog: [Topic: Gauge]

    package init(peer: String, states: ComponentStates, metrics: MetricsRegistry, logger: Logger) {
        component = "mirror \(peer)"
        self.peer = peer
        self.states = states
        self.metrics = metrics
        self.logger = logger.with([.peer: "\(peer)"])
        linkUp = metrics.gauge(.mirrorLinkUp, [.peer: peer])
        lag = metrics.gauge(.mirrorLagSeconds, [.peer: peer])
        latency = metrics.histogram(.mirrorLatencySeconds, [.peer: peer])
        inflightBytes = metrics.gauge(.mirrorInflightBytes, [.peer: peer])
        sentBytes = metrics.counter(.mirrorSentBytes, [.peer: peer])
        fenced = metrics.counter(.mirrorFenced)
        let topics: [Topic] = [.provisioning, .voice, .control]
        appended = Dictionary(
            uniqueKeysWithValues: topics.map {
                ($0, metrics.counter(.mirrorAppended, [.peer: peer, .topic: $0.rawValue]))
            })
        backlog = Dictionary(
            uniqueKeysWithValues: topics.map {
                ($0, metrics.gauge(.mirrorLagEntries, [.peer: peer, .topic: $0.rawValue]))
            })
    }

    func appended(_ count: Int, topic: Topic) {
        appended[topic]?.add(count)
    }

    /// Entries of a topic that the peer lacks; nil while that is unknown.
    func backlog(_ count: UInt64?, topic: Topic) {
        backlog[topic]?.set(count.map { Double($0) })
    }

    func set(_ state: ComponentState) {
        guard states.set(component, state) else { return }
        logger.info(
            "Mirror link changed state",
            [.component: "\(component)", .state: "\(state.name)", .reason: "\(state.reason ?? "")"])
    }

    /// A journal's copy does not continue it: named, counted, loud; the other journals go on.
    func stopped(_ journal: JournalName, _ divergence: Divergence, detail: String?) {
        let state = ComponentState(
            "stopped-\(divergence.rawValue)", .stopped, reason: detail ?? divergence.rawValue,
            advice: divergence.advice)
        guard states.set("\(component) \(journal)", state) else { return }
        metrics.counter(.mirrorForks, [.cause: divergence.rawValue]).add()
        logger.error(
            "Journal is no longer mirrored: its copy does not continue it",
            [
                .journal: "\(journal)", .journalLineage: "\(divergence.rawValue)", .reason: "\(detail ?? "")",
                .advice: "\(divergence.advice)",
            ])
    }

    /// A journal that was stopped is shipped again.
    func resumed(_ journal: JournalName) {
        states.remove("\(component) \(journal)")
        logger.info("Journal is mirrored again", [.journal: "\(journal)"])
    }

    func refused(_ journal: JournalName, _ refusal: Refusal) {
        if refusal == .fenced { fenced.add() }
        logger.debug("Append refused", [.journal: "\(journal)", .reason: "\(refusal)"])
    }

    func sourceChanged() {
        logger.warning("The local Redis may have another history than before; aligning every journal again", [:])
    }
}
