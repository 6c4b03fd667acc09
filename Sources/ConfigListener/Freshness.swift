internal import Observability
internal import Projection
internal import Synchronization

/// How fresh what is read of provisioning is, by what the worker's components and other regions say of themselves.
///
/// Looked at once a second: components that try again and again change their states all the while, and what counts is when
/// all was well last.
final class Freshness: Sendable {
    /// How it is now.
    struct Report: Hashable, Sendable {
        let region: String
        /// `fresh`, or the word for what keeps it from being so.
        let state: String
        /// What that means for readers.
        let reason: String?
        /// `reachable`, `read-only` where no writes are made to what can be reached, `unreachable`, or `unknown` where this worker
        /// does not look.
        let postgres: String
        /// Seconds since reads were known to be fresh; 0 while they are, nil where they never were in this process.
        let secondsBehind: Int64?
        let staleSince: Timestamp?
    }

    private static let projection = "projection provisioning"
    private static let capture = "capture"
    private static let interval = Duration.seconds(1)

    private let region: String
    private let states: ComponentStates
    private let progress: ProvisioningProgress
    private let judgement = Mutex(FreshnessJudgement())

    init(region: String, states: ComponentStates, progress: ProvisioningProgress) {
        self.region = region
        self.states = states
        self.progress = progress
    }

    /// Looks until cancelled.
    func run() async {
        while !Task.isCancelled {
            _ = look(at: .now)
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// How it is at `moment`; `isProjected` says whether anything of PostgreSQL is in the cache.
    func now(isProjected: Bool, at moment: Moment = .now) -> Report {
        let (amiss, since) = look(at: moment)
        let behind = amiss == nil ? 0 : since.map { max(0, (moment.instant - $0.instant).components.seconds) }
        return Report(
            region: region, state: amiss?.state ?? "fresh", reason: amiss?.reason, postgres: postgres,
            secondsBehind: isProjected ? behind : nil, staleSince: amiss == nil ? nil : since?.time)
    }

    /// What keeps reads from being fresh, and when they were last.
    private func look(at moment: Moment) -> (amiss: FreshnessJudgement.Fault?, lastFresh: Moment?) {
        // Before what is captured: the state is entered when that has been told.
        let capture = states.state(of: Self.capture)
        let facts = FreshnessJudgement.Facts(
            cache: states.state(of: TrackedCache.component), projection: states.state(of: Self.projection),
            capture: capture,
            completeHere: capture?.name == FreshnessJudgement.capturing ? progress.allCapturedHere(at: moment) : nil,
            elsewhere: progress.captureElsewhere(at: moment.instant))
        return judgement.withLock { judgement in
            let amiss = judgement.judge(facts, at: moment)
            return (amiss, judgement.lastFresh)
        }
    }

    private var postgres: String {
        switch states.state(of: Self.capture)?.name {
        case nil: "unknown"
        case "looking", "waiting": "unreachable"
        case "in-recovery", "former-primary": "read-only"
        default: "reachable"
        }
    }
}
