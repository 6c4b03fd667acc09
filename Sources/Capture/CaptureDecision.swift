internal import CrashPoints

// A region that may have been away for long asks before it captures.
extension Capture {
    /// What `CaptureStart` says, peers asked where the region cannot tell by itself that it has the role still. What it
    /// then does is noted before.
    func decision(
        _ found: inout CaptureFound, _ past: inout Past
    ) async throws(CaptureFailure) -> CaptureStart {
        guard let role else { return CaptureStart(found) }
        found.standing = try await role.standing()
        found.isVouchedFor = past.hasRole || past.historyAtPeers != nil
        var decision = CaptureStart(found)
        let waits = if case .wait(.peer) = decision { true } else { false }
        // Once in each run also where nothing is in doubt: what a peer knows may not have come here yet.
        if waits || !past.hasRole && !past.hasAsked && decision.history(found) != nil {
            past.hasAsked = true
            if let known = await role.historyAtPeers() {
                past.historyAtPeers = known
                found.isVouchedFor = true
                found.knownHistory = max(found.knownHistory, known)
                decision = CaptureStart(found)
            }
        }
        if let history = decision.history(found) {
            try await role.take(history: history)
            past.hasRole = true
            CrashPoint.captureNoted.pass()
        }
        return decision
    }
}
