internal import Observability

// The states of capture as `/status` and metrics name them; a stop has its own name.
extension ComponentState {
    static let looking = ComponentState("looking", .waiting)
    static let snapshot = ComponentState("snapshot", .working, reason: "copies every table of the catalog")
    /// What was missed is being found.
    static func resnapshot(_ cause: ResnapshotCause) -> ComponentState {
        ComponentState(
            "resnapshot", .degraded, reason: cause.reason + "; PostgreSQL is compared with this region's cache",
            advice: "none is needed: caches serve what they have until it is done, marked stale")
    }
    /// What was committed before, or long ago, is not in the journal yet.
    static let catchingUp = ComponentState(
        "catching-up", .working, reason: "what was committed while nobody captured is being worked off")
    static let streaming = ComponentState("streaming", .working)

    /// PostgreSQL or Redis cannot be reached, or not used yet.
    static func away(_ reason: String) -> ComponentState { ComponentState("waiting", .waiting, reason: reason) }

    /// The stream is open, and Redis takes nothing.
    static func redisAway(_ reason: String) -> ComponentState {
        ComponentState("blocked", .degraded, reason: "Redis takes no entries: \(reason)")
    }

    static func waiting(_ wait: CaptureWait) -> ComponentState {
        switch wait {
        case .peer(let doubt):
            ComponentState(
                "awaiting-peer", .waiting,
                reason: doubt.reason + "; no peer answers that could say whether another region has taken over since",
                advice: "let a peer's Redis be reached from here; or, if you know that no other region has taken over, "
                    + "say so to this region's Redis: HSET rs:{_}:capturing:<this region> confirmed yes")
        case .otherRegion(let region):
            ComponentState("other-region", .working, reason: "region \(region) captures")
        case .slotBusy(let pid):
            ComponentState(
                "standby", .waiting,
                reason: "the slot is in use" + (pid.map { " by the server's process \($0)" } ?? ""))
        case .inRecovery:
            ComponentState("in-recovery", .waiting, reason: "the server replays and takes no writes")
        }
    }

    /// Whoever wrote may do it again.
    static func writtenByOthers(_ foreign: ForeignEntries) -> ComponentState {
        ComponentState(
            "written-by-others", .degraded,
            reason: "\(foreign.count) entries of the provisioning journal, the first \(foreign.first), are not "
                + "capture's; they were passed over",
            advice: "find out who wrote them: nobody but capture may; a restart of the worker clears this")
    }

    // The slot's
    static let retains = ComponentState("retains", .working)
    static let retainsTooMuch = ComponentState(
        "retains-too-much", .degraded, reason: "PostgreSQL keeps more WAL for the slot than limits.retainedWALBytes",
        advice: "see why capture does not go on; or drop the slot before PostgreSQL's disk is full, "
            + "then capture makes a new one and finds what was missed by comparing")

    static func stopped(_ stop: CaptureStop) -> ComponentState {
        ComponentState(stop.name, .stopped, reason: stop.reason, advice: stop.advice)
    }
}
