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
        /// What that means for readers. The component's own reason may name hosts, and is for operators.
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

    /// What keeps reads from being fresh.
    private struct Fault {
        let state: ComponentState
        let reason: String
    }

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
            region: region, state: amiss?.state.name ?? "fresh", reason: amiss?.reason, postgres: postgres,
            secondsBehind: isProjected ? behind : nil, staleSince: amiss == nil ? nil : since)
    }

    /// What keeps reads from being fresh; nil while they are, which is noted.
    @discardableResult
    private func look(at time: Timestamp) -> Fault? {
        if let amiss { return amiss }
        lastFresh.withLock { $0 = time }
        return nil
    }

    private var amiss: Fault? {
        let reasons = [
            (TrackedCache.component, "the region's Redis cannot be read"),
            (Self.projection, "what was captured does not get into the region's cache"),
        ]
        for (component, reason) in reasons {
            let state = states.state(of: component) ?? ComponentState("unknown", .waiting)
            if state.health != .working { return Fault(state: state, reason: reason) }
        }
        let capture = states.state(of: Self.capture) ?? ComponentState("unknown", .waiting)
        if Self.capturing.contains(capture.name) { return nil }
        guard Self.followed.contains(capture.name) else {
            return Fault(state: capture, reason: "changes in PostgreSQL are not captured")
        }
        // What another region captures comes over the link to it. Which region that is, is not known where it is one of
        // several.
        let link = states.reports.first { $0.isLink && $0.state.health != .working }
        return link.map { Fault(state: $0.state, reason: "another region cannot be reached, or is behind") }
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
