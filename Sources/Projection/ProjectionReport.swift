internal import Journal
package import Logging
package import Observability
internal import RESP

/// Where the projection says how it is doing: states for people, metrics, log lines.
package struct ProjectionReport: Sendable {
    static let provisioning = "projection provisioning"
    static let voice = "projection voice"
    static let control = "projection control"

    let logger: Logger
    private let states: ComponentStates
    private let applied: Counter
    private let illegal: Counter
    private let unreadable: Counter
    private let logouts: Counter
    private let replaced: Counter
    private let restated: Counter
    private let lacking: Gauge
    private let visible: Histogram
    private let metrics: MetricsRegistry
    private let lags: [Topic: Gauge]

    package init(states: ComponentStates, metrics: MetricsRegistry, logger: Logger) {
        self.states = states
        self.metrics = metrics
        self.logger = logger
        applied = metrics.counter(.projectionApplied)
        illegal = metrics.counter(.projectionIllegalTransitions)
        unreadable = metrics.counter(.projectionUnreadable)
        logouts = metrics.counter(.projectionLogouts)
        replaced = metrics.counter(.projectionReplaced)
        restated = metrics.counter(.projectionRestated)
        lacking = metrics.gauge(.projectionLackingJournals)
        visible = metrics.histogram(.commitToVisibleSeconds)
        lags = Dictionary(
            uniqueKeysWithValues: [Topic.provisioning, .voice].map {
                ($0, metrics.gauge(.projectionLagEntries, [.topic: $0.rawValue]))
            })
    }

    func applied(_ entries: Int) { if entries > 0 { applied.add(entries) } }

    func illegal(_ events: Int) { if events > 0 { illegal.add(events) } }

    /// Entries were passed over, `first` before the others.
    func unreadable(_ entries: Int, first: PassedOver?, component: String) {
        guard entries > 0 else { return }
        let before = unreadable.value
        unreadable.add(entries)
        // At every doubling: whoever writes thousands of them a second must not fill the log as well.
        guard before.leadingZeroBitCount != unreadable.value.leadingZeroBitCount else { return }
        logger.warning(
            "Entries were passed over: their shape is not known",
            [
                .component: "\(component)", .entries: "\(unreadable.value)",
                .journal: "\(first?.journal.key ?? "")", .entryID: "\(first?.entry.description ?? "")",
            ])
    }

    /// Entries of a topic's journals that are not in state; nil while that is unknown.
    func lag(_ entries: Int64?, topic: Topic) { lags[topic]?.set(entries.map { Double($0) }) }

    /// Sessions of this region were ended since their agents are logged in elsewhere.
    func loggedOut(_ sessions: Int) {
        guard sessions > 0 else { return }
        logouts.add(sessions)
        logger.info(
            "Agents were logged out here since they logged in in another region", [.count: "\(sessions)"])
    }

    /// Sessions that should be ended were not; tried again with whatever is projected next.
    func logoutsRefused(_ objection: StoreFailure) {
        logger.warning("Agents could not be logged out here", [.error: "\(objection)"])
    }

    /// Calls and agents were written in the place of something that somebody else kept under their keys.
    func replaced(_ records: Int) {
        guard records > 0 else { return }
        replaced.add(records)
        logger.warning(
            "Keys of calls or agents held something else and were written anew", [.count: "\(records)"])
    }

    /// So many voice journals are incomplete here, and their owners have not restated what lives.
    func lacks(_ journals: Int) { lacking.set(Double(journals)) }

    /// A region was asked to restate what lives of so many tenants.
    func asked(_ request: RestateRequest) {
        logger.info(
            "Asked a region to restate its live calls and agents",
            [.region: "\(request.owner)", .journals: "\(request.tenants.count)"])
    }

    /// Calls and agents were taken over as their owners restated them.
    func tookRestated(_ records: Int) {
        guard records > 0 else { return }
        logger.info("Calls and agents were taken over as restated", [.count: "\(records)"])
    }

    /// So many of a tenant's calls and agents were restated for a region, which are all.
    func restated(_ records: Int, tenant: String, for region: String) {
        restated.add(records)
        logger.info(
            "Live calls and agents were restated",
            [.region: "\(region)", .tenant: "\(tenant)", .count: "\(records)"])
    }

    /// A region waits for what lives of so many tenants (nil: for none), and why that takes long, if it does.
    func restating(_ tenants: Int?, for region: String, _ obstacle: String? = nil) {
        let component = "restating \(region)"
        guard let tenants else { return states.remove(component) }
        let reason = "\(region) lacks what lives of \(tenants) tenants" + (obstacle.map { ": \($0)" } ?? "")
        states.set(
            component, ComponentState("restating", obstacle == nil ? .working : .degraded, reason: reason))
    }

    /// Keys of objects, indexes and digests held something else and were replaced: a sentence for each.
    func replacedKeys(_ keys: [String]) {
        guard let first = keys.first else { return }
        replaced.add(keys.count)
        logger.error(
            "Keys of the cache held something else and were replaced", [.key: "\(first)", .count: "\(keys.count)"])
    }

    /// Deletes what somebody put in the place of keys that only the projection writes, so that the next session can write
    /// them.
    func reclaim(_ tenants: [String], in store: any ProjectionStore) async {
        let answers = await store.run(
            [ProjectionFunctions.library.loadCommand] + tenants.map { ProjectionFunctions.reclaim(tenant: $0) })
        for (tenant, answer) in zip(tenants, answers.dropFirst()) {
            if case .success(let gone) = answer { reclaimed(gone.elements.compactMap(\.text), tenant: tenant) }
        }
    }

    /// Keys around a tenant's state held something else and were deleted: a sentence for each.
    private func reclaimed(_ keys: [String], tenant: String) {
        guard !keys.isEmpty else { return }
        replaced.add(keys.count)
        logger.error(
            "Keys that only the projection may write held something else and were deleted",
            [.tenant: "\(tenant)", .reason: "\(keys.joined(separator: ", "))"])
    }

    /// Transactions with these commit times, µs since 1970 by PostgreSQL's clock, are visible now.
    func visible(_ commitTimes: [Int64]) {
        guard !commitTimes.isEmpty else { return }
        let now = Timestamp.now.nanoseconds / 1000
        // Clocks of two hosts: what seems to come from the future was fast, not negative. An entry may hold any number.
        let ages = commitTimes.map { now.subtractingReportingOverflow($0) }
        visible.observe(contentsOf: ages.filter { !$0.overflow }.map { Double(max(0, $0.partialValue)) / 1e6 })
    }

    func set(_ component: String, _ state: ComponentState) {
        states.set(component, state, logging: "Projection changed state", to: logger)
    }

    /// A component leaves journals out since their keys hold something else, of these kinds: named in a state of its own.
    func leftOut(_ kinds: [JournalName: String], of component: String) {
        let component = "\(component) journals"
        guard let first = kinds.min(by: { $0.key < $1.key }) else {
            guard states.state(of: component) != nil else { return }
            states.remove(component)
            return logger.info("All keys of journals hold journals again", [.component: "\(component)"])
        }
        let names = kinds.keys.sorted().map(\.key).joined(separator: ", ")
        let state = ComponentState(
            "left-out", .degraded,
            reason: "\(kinds.count) not projected, first \(first.key), which is a \(first.value); all: \(names)",
            advice: "find out who writes to the journal's key, and rename or remove what stands there")
        guard states.set(component, state) else { return }
        logger.error(
            "A key that should be a journal holds something else and is left out",
            [
                .component: "\(component)", .journal: "\(first.key)", .kind: "\(first.value)",
                .journals: "\(kinds.count)",
            ])
    }

    /// A region counts as down (nil: no longer), and so many of its voice entries came after the cut.
    func withheld(_ entries: UInt64?, of region: String) {
        let component = "region \(region)"
        metrics.gauge(.projectionWithheld, [.region: region]).set(entries.map { Double($0) })
        guard entries != nil else { return states.remove(component) }
        set(
            component,
            ComponentState(
                "declared-down", .degraded,
                reason: "its voice journals are projected to the cut; what came later is kept and in no state"))
    }

    /// A session of a component ended with this failure and begins again.
    func failed(_ component: String, _ failure: StoreFailure) {
        if failure.isCursorMoved {
            set(
                component,
                ComponentState(
                    "realigning", .waiting, reason: "the cursor moved: \(failure)",
                    advice: "if this lasts, look for a second worker that projects into this Redis"))
        } else {
            set(component, ComponentState("waiting", .waiting, reason: "\(failure)"))
        }
    }
}
