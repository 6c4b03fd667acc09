internal import Journal

/// What a region's own Redis says of the runs of capture there, the one that asks left out.
package enum CaptureStanding: Hashable, Sendable {
    /// Every run that is known has stopped cleanly.
    case clean
    /// A run under this history, the newest of them, has not: its region may have been away for any time since.
    case unclean(history: UInt64)
    /// An operator says that no other region has taken over.
    case confirmed
}

/// Whether the region still has the role to capture: what it notes of that in its own Redis, and what its peers know.
///
/// A run is noted before it does anything, and taken back by nobody but a worker that stops in order. Killed anywhere in
/// between it leaves its note, and the next run asks first.
package protocol CaptureRole: Sendable {
    func standing() async throws(CaptureFailure) -> CaptureStanding
    /// Notes that this run captures under `history`, in place of all that was noted before.
    func take(history: UInt64) async throws(CaptureFailure)
    /// The newest history that any peer which answers now knows of; nil where none answers, or one says that another region
    /// is about to begin a history.
    func historyAtPeers() async -> UInt64?
}

/// Why a region cannot tell by itself whether another one has taken over since it captured.
package enum CaptureDoubt: Hashable, Sendable {
    /// Capture did not stop cleanly, under this history.
    case stoppedUncleanly(history: UInt64)
    /// Redis holds nothing any more, the note included, and PostgreSQL says that it did.
    case redisEmptied

    /// In a sentence.
    package var reason: String {
        switch self {
        case .stoppedUncleanly(let history): "capture did not stop cleanly here, under history \(history)"
        case .redisEmptied: "Redis was emptied, so how capture stopped here is not known"
        }
    }
}

extension CaptureFound {
    /// Why the region must hear of a peer, or of an operator, before it captures; nil where it may.
    var doubt: CaptureDoubt? {
        guard !isVouchedFor, let standing else { return nil }
        switch standing {
        case .confirmed: return nil
        case .unclean(let ended):
            // Only an operator makes a newer row for this region: our own are noted before they are made.
            return history?.number ?? 0 > ended ? nil : .stoppedUncleanly(history: ended)
        case .clean:
            let isEmpty = journal.last == .zero && journal.position == nil && knownHistory == 0
            return isEmpty && (slot != nil || history != nil) ? .redisEmptied : nil
        }
    }
}
