/// Why a failover is not begun. Nothing was changed.
package enum FailoverRefusal: Error, Hashable, Sendable {
    /// The standby does not answer.
    case databaseUnreachable(String)
    /// The surviving region's Redis does not answer.
    case redisUnreachable(String)
    /// The surviving region's worker does not answer.
    case workerUnreachable(String)
    /// Another region's worker is there.
    case otherWorker(String)
    /// The standby replays, and the region file names no command to promote it.
    case noPromoteHook
    /// The primary that hands over must be stopped first, and the region file names no command for that.
    case noFenceHook
    /// Front ends write to so many of the region's voice journals, and no other region projects that.
    case busy(journals: Int)
    /// Peers lack entries of so many of the region's voice journals.
    case notMirrored(journals: Int)
    /// Nobody captures yet.
    case noHistory
    /// The region captures already, and no other did before it, or that one lives.
    case capturesAlready
    /// The region that is to be declared down lives, and nobody has confirmed that this is meant.
    case regionLives(String)
    /// No other region has taken over from the one that is to be given its role again.
    case neverDown(String)
    /// The region of `regionsync.history` that is to be given up is no peer in the region file.
    case unknownRegion(String)
    /// What may be lost cannot be told.
    case lossUnknown
    /// More may be lost than is accepted.
    case lossTooGreat(bound: UInt64, accepted: UInt64)
    /// Somebody else was faster: the newest history is not the one this run began with.
    case newerHistory(began: UInt64, found: UInt64)
}

extension FailoverRefusal {
    /// A word for machines.
    package var name: String {
        switch self {
        case .databaseUnreachable: "database-unreachable"
        case .redisUnreachable: "redis-unreachable"
        case .workerUnreachable: "worker-unreachable"
        case .otherWorker: "other-worker"
        case .noPromoteHook: "no-promote-hook"
        case .noFenceHook: "no-fence-hook"
        case .busy: "busy"
        case .notMirrored: "not-mirrored"
        case .noHistory: "no-history"
        case .capturesAlready: "captures-already"
        case .regionLives: "region-lives"
        case .neverDown: "never-down"
        case .unknownRegion: "unknown-region"
        case .lossUnknown: "loss-unknown"
        case .lossTooGreat: "loss-too-great"
        case .newerHistory: "newer-history"
        }
    }

    /// What is amiss and what mends it, for the operator.
    package var text: String {
        switch self {
        case .databaseUnreachable(let reason):
            "the standby cannot be used (failover.standby of the region file): \(reason)"
        case .redisUnreachable(let reason): "the region's Redis cannot be used: \(reason)"
        case .workerUnreachable(let reason): "the region's worker cannot be asked: \(reason); start it (regionsync run)"
        case .otherWorker(let region): "the worker on the region's admin port is that of \(region)"
        case .noPromoteHook:
            "the standby replays, and the region file has no failover.promote: add the command, or promote by hand and "
                + "run this again"
        case .noFenceHook:
            "the region file has no failover.fence, which stops the primary that hands over: without it both would take "
                + "writes"
        case .busy(let journals):
            "front ends write to \(journals) of the region's voice journals, and no other region projects that: keep them "
                + "out until it has failed back"
        case .notMirrored(let journals):
            "peers lack entries of \(journals) of the region's voice journals: wait until they are mirrored"
        case .noHistory: "regionsync.history is empty: no region has ever captured, so there is nothing to take over"
        case .capturesAlready:
            "this region captures already, and no other did before it, or that one lives; if a run was cut off, and that "
                + "region is to be given up all the same, stop its worker and run this again"
        case .regionLives(let region):
            "\(region) lives: it was heard while this command looked. If it is to be given up all the same, "
                + "--even-if-alive goes on"
        case .neverDown(let region):
            "by regionsync.history no other region has taken over from \(region), so there is no role to give back; "
                + "to let \(region) take over from a region that captures, use regionsync failover"
        case .unknownRegion(let region):
            "\(region) captures by regionsync.history, and is no peer in the region file"
        case .lossUnknown:
            "what may be lost cannot be told: too few probes of the region that is down have come here; "
                + "--accept-loss any goes on all the same"
        case .lossTooGreat(let bound, let accepted):
            "up to \(bound) voice events may be lost, and \(accepted) are accepted: --accept-loss \(bound) goes on"
        case .newerHistory(let began, let found):
            "another failover was faster: history \(found) is there, and this run began with \(began); "
                + "look at regionsync.history, then run it again if it is to be finished from here"
        }
    }
}
