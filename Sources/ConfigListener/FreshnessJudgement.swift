internal import Observability
internal import Projection

/// Whether what is read of provisioning is fresh, and until when it was known to be. A value.
///
/// A region that captures knows by its own stream, once that has worked off what was committed before. One that does not
/// knows by what the region that does says once a second. Either has everything that was captured at some moment, and is
/// `fresh` while that was within `CaptureElsewhere.patience`.
struct FreshnessJudgement: Sendable {
    /// What is known at some moment.
    struct Facts: Sendable {
        /// How the components are; nil while they have said nothing.
        var cache: ComponentState?
        var projection: ComponentState?
        var capture: ComponentState?
        /// Where this region captures: when it had all last that was captured until then.
        var completeHere: Moment?
        var elsewhere: CaptureElsewhere.Standing?
    }

    /// What keeps reads from being fresh.
    struct Fault: Hashable, Sendable {
        /// The word of the component that is amiss, or of what is not heard of another region.
        let state: String
        /// What that means for readers. The component's own reason may name hosts, and is for operators.
        let reason: String
    }

    /// The state in which what PostgreSQL commits is captured here as it is committed.
    static let capturing = "streaming"
    /// States in which this region does not capture, and another one may.
    private static let left: Set<String> = [
        "other-region", "standby", "looking", "waiting", "in-recovery", "awaiting-peer",
    ]
    /// Those of them that say that another one does.
    private static let followed: Set<String> = ["other-region", "standby"]

    /// When reads were known to be fresh last; nil: never.
    private(set) var lastFresh: Moment?

    /// What keeps reads from being fresh at `moment`; nil when nothing does.
    mutating func judge(_ facts: Facts, at moment: Moment) -> Fault? {
        let needed = [
            (facts.cache, "the region's Redis cannot be read"),
            (facts.projection, "what was captured does not get into the region's cache"),
        ]
        for (state, reason) in needed where state?.health != .working {
            return Fault(state: state?.name ?? "unknown", reason: reason)
        }
        let capture = facts.capture?.name ?? "unknown"
        if capture == Self.capturing {
            if let completeAt = facts.completeHere { note(completeAt) }
            guard let completeAt = facts.completeHere,
                moment.instant - completeAt.instant <= CaptureElsewhere.patience
            else { return Fault(state: "behind", reason: "what is captured here is not in the cache, or comes late") }
            return nil
        }
        if capture == "catching-up" {
            return Fault(state: capture, reason: "older changes in PostgreSQL are still being captured")
        }
        let own = Fault(state: capture, reason: "changes in PostgreSQL are not captured")
        guard Self.left.contains(capture) else { return own }
        if let completeAt = facts.elsewhere?.completeAt { note(completeAt) }
        let isFollowing = Self.followed.contains(capture)
        guard let elsewhere = facts.elsewhere else {
            return isFollowing ? Fault(state: "unheard", reason: "no region has said yet that it captures") : own
        }
        return elsewhere.trouble.map { isFollowing ? Fault($0, of: elsewhere.region) : own }
    }

    private mutating func note(_ moment: Moment) {
        if let lastFresh, lastFresh.instant >= moment.instant { return }
        lastFresh = moment
    }
}

extension FreshnessJudgement.Fault {
    fileprivate init(_ trouble: CaptureElsewhere.Trouble, of region: String) {
        switch trouble {
        case .silent:
            self.init(state: "silent", reason: "region \(region), which captures, was not heard lately")
        case .idle:
            self.init(state: "idle", reason: "region \(region) is heard, and does not say that it captures")
        case .behind:
            self.init(state: "behind", reason: "what region \(region) captures is not here, or comes late")
        }
    }
}
