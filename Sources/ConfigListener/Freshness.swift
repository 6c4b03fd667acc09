internal import Observability
internal import Synchronization

/// How fresh what is read of provisioning is, by what the worker's components say of themselves.
///
/// Looked at once a second: components that try again and again change their states all the while, and what counts is when
/// all was well last.
final class Freshness: Sendable {
    /// How it is now.
    struct Report: Hashable, Sendable {
        let region: String
        /// `fresh`, or the word of the component that keeps it from being so.
        let state: String
        /// That component's own reason.
        let reason: String?
        /// `reachable`, `unreachable`, or `unknown` where this worker does not look.
        let postgres: String
        /// Seconds since reads were known to be fresh; 0 while they are, nil where they never were in this process.
        let secondsBehind: Int64?
        let staleSince: Timestamp?
    }

    private static let projection = "projection provisioning"
    private static let capture = "capture"
    /// States of capture in which changes arrive here: its own stream, or another region's.
    private static let capturing: Set<String> = ["streaming"]
    private static let followed: Set<String> = ["other-region", "standby"]
    private static let interval = Duration.seconds(1)

    private let region: String
    private let states: ComponentStates
    /// When all was well last, by the host's clock.
    private let lastFresh = Mutex<Timestamp?>(nil)

    init(region: String, states: ComponentStates) {
        self.region = region
        self.states = states
    }

    /// Looks until cancelled.
    func run() async {
        while !Task.isCancelled {
            look(at: .now)
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// How it is at `time`; `isProjected` says whether anything of PostgreSQL is in the cache.
    func now(isProjected: Bool, at time: Timestamp = .now) -> Report {
        let amiss = look(at: time)
        let since = lastFresh.withLock { $0 }
        let behind = since.map { max(0, (time.nanoseconds - $0.nanoseconds) / 1_000_000_000) }
        return Report(
            region: region, state: amiss?.name ?? "fresh", reason: amiss?.reason, postgres: postgres,
            secondsBehind: isProjected ? behind : nil, staleSince: amiss == nil ? nil : since)
    }

    /// What keeps reads from being fresh; nil while they are, which is noted.
    @discardableResult
    private func look(at time: Timestamp) -> ComponentState? {
        if let amiss { return amiss }
        lastFresh.withLock { $0 = time }
        return nil
    }

    private var amiss: ComponentState? {
        for component in [TrackedCache.component, Self.projection] {
            let state = states.state(of: component) ?? ComponentState("unknown", .waiting)
            if state.health != .working { return state }
        }
        let capture = states.state(of: Self.capture) ?? ComponentState("unknown", .waiting)
        if Self.capturing.contains(capture.name) { return nil }
        guard Self.followed.contains(capture.name) else { return capture }
        // What another region captures comes over the link to it. Which region that is, is not known where it is one of
        // several.
        return states.reports.first { $0.isLink && $0.state.health != .working }?.state
    }

    private var postgres: String {
        switch states.state(of: Self.capture)?.name {
        case nil: "unknown"
        case "looking", "waiting": "unreachable"
        default: "reachable"
        }
    }
}

extension ComponentReport {
    /// `mirror <peer>`, and not one of the components beside it.
    fileprivate var isLink: Bool {
        let words = component.split(separator: " ")
        return words.count == 2 && words[0] == "mirror"
    }
}
