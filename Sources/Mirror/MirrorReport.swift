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
    private var stops: [JournalName: Stop] = [:]
    private var stopCount = 0
    /// Copies that were set aside and are still there.
    private(set) var closedCopies: [JournalName: ClosedCopy] = [:]
    private let healed: Counter
    let linkUp: Gauge
    let lag: Gauge
    let latency: Histogram
    let inflightBytes: Gauge
    let sentBytes: Counter
    let fenced: Counter
    private let appended: [Topic: Counter]
    private let backlog: [Topic: Gauge]
    private let cuts: [LinkHearing.Cut: Gauge]

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
        healed = metrics.counter(.mirrorHealed)
        let topics: [Topic] = [.provisioning, .voice, .control]
        appended = Dictionary(
            uniqueKeysWithValues: topics.map {
                ($0, metrics.counter(.mirrorAppended, [.peer: peer, .topic: $0.rawValue]))
            })
        backlog = Dictionary(
            uniqueKeysWithValues: topics.map {
                ($0, metrics.gauge(.mirrorLagEntries, [.peer: peer, .topic: $0.rawValue]))
            })
        cuts = Dictionary(
            uniqueKeysWithValues: LinkHearing.Cut.allCases.map {
                ($0, metrics.gauge(.mirrorCut, [.peer: peer, .direction: $0.rawValue]))
            })
    }

    func appended(_ count: Int, topic: Topic) {
        appended[topic]?.add(count)
    }

    /// Entries of a topic that the peer lacks; nil while that is unknown.
    func backlog(_ count: UInt64?, topic: Topic) {
        backlog[topic]?.set(count.map { Double($0) })
    }

    /// Which way a link that is down is cut; nil for one that is up.
    func cut(_ cut: LinkHearing.Cut?) {
        for (direction, gauge) in cuts { gauge.set(direction == cut) }
    }

    func set(_ state: ComponentState) {
        states.set(component, state, logging: "Mirror link changed state", to: logger)
    }

    /// Entries that the peer will never have, or that are nowhere any more: counted, loud; what follows is shipped.
    func lost(_ count: UInt64, of journal: JournalName, cause: String) {
        metrics.counter(.mirrorLost, [.cause: cause]).add(Int(clamping: count))
        logger.warning(
            "Entries of a journal are lost", [.journal: "\(journal)", .entries: "\(count)", .reason: "\(cause)"])
    }

    /// A copy goes on behind a gap; its region compares its cache with PostgreSQL.
    func gap(before id: EntryID, in journal: JournalName) {
        logger.warning(
            "Entries left a journal before a peer had them: it compares its cache",
            [.journal: "\(journal)", .entryLast: "\(id)"])
    }

    /// A journal's copy does not continue it: named, counted once, loud; the other journals go on.
    mutating func stopped(_ journal: JournalName, _ divergence: Divergence, detail: String?) {
        let known = stops[journal]
        stopCount += 1
        stops[journal] = Stop(number: known?.number ?? stopCount, divergence: divergence, detail: detail)
        showStops()
        guard known == nil else { return }
        metrics.counter(.mirrorForks, [.cause: divergence.rawValue]).add()
        logger.error(
            "Journal is no longer mirrored: its copy does not continue it",
            [
                .journal: "\(journal)", .journalLineage: "\(divergence.rawValue)", .reason: "\(detail ?? "")",
                .advice: "\(divergence.advice)",
            ])
    }

    /// The link does not run any more: what is amiss still is news when it runs again.
    mutating func forget() {
        stops.removeAll()
        closedCopies.removeAll()
    }

    /// A journal is shipped; news only if it was stopped.
    mutating func resumed(_ journal: JournalName) {
        guard !stops.isEmpty, stops.removeValue(forKey: journal) != nil else { return }
        showStops()
        logger.info("Journal is mirrored again", [.journal: "\(journal)"])
    }

    /// One component for all that is stopped: journals' names are text there, never label values.
    private func showStops() {
        guard let first = stops.min(by: { $0.value.number < $1.value.number }) else {
            return states.remove(stopsComponent)
        }
        let divergence = first.value.divergence
        let names = stops.keys.sorted().map(\.key).joined(separator: ", ")
        states.set(
            stopsComponent,
            ComponentState(
                "stopped-\(divergence.rawValue)", .stopped,
                reason: "\(stops.count) stopped, first \(first.key): \(first.value.detail ?? divergence.rawValue); "
                    + "all: \(names)",
                advice: divergence.advice))
    }

    private var stopsComponent: String { "\(component) journals" }

    func refused(_ journal: JournalName, _ refusal: Refusal) {
        if refusal == .fenced { fenced.add() }
        logger.debug("Append refused", [.journal: "\(journal)", .reason: "\(refusal)"])
    }

    func targetChanged() {
        logger.warning("The peer's Redis lost what it had acknowledged; aligning every journal again", [:])
    }

    func sourceChanged() {
        logger.warning("The local Redis may have another history than before; aligning every journal again", [:])
    }
}

extension MirrorReport {
    /// A journal whose copy does not continue it.
    private struct Stop {
        /// Order among the stops of the link.
        let number: Int
        let divergence: Divergence
        let detail: String?
    }
}

// Heals and forks.
extension MirrorReport {
    /// Entries that a journal lost came back from the peer's copy.
    func healed(_ count: Int, of journal: JournalName) {
        healed.add(count)
        logger.warning(
            "A journal lost entries and got them back from its copy",
            [.journal: "\(journal)", .entries: "\(count)"])
    }

    /// A copy was set aside: counted once, loud.
    func forked(_ journal: JournalName, _ closed: ClosedCopy) {
        metrics.counter(.mirrorForks, [.cause: closed.cause]).add()
        if closed.entries > 0 {
            metrics.counter(.mirrorLost, [.cause: closed.cause]).add(Int(clamping: closed.entries))
        }
        logger.error(
            "Journal lost or changed its history; the former copy is closed and kept, a new one begins",
            [
                .journal: "\(journal)", .journalLineage: "\(closed.cause)", .entries: "\(closed.entries)",
                .count: "\(closed.number)", .advice: "\(Divergence(rawValue: closed.cause)?.advice ?? "")",
            ])
    }

    /// The closed copy that a journal has at the peer, if any: an alarm for as long as it is there.
    mutating func show(_ closed: ClosedCopy?, before journal: JournalName) {
        guard closedCopies[journal]?.number != closed?.number else { return }
        closedCopies[journal] = closed
        let component = "\(component) closed copies"
        guard let first = closedCopies.min(by: { $0.key < $1.key }) else { return states.remove(component) }
        let names = closedCopies.sorted { $0.key < $1.key }.map { $0.key.closedKey($0.value.number) }
        states.set(
            component,
            ComponentState(
                "forked-\(first.value.cause)", .degraded,
                reason: "\(first.value.entries) entries are in \(names[0]) and no longer in its journal; all: "
                    + names.joined(separator: ", "),
                advice: Divergence(rawValue: first.value.cause)?.advice))
    }
}
