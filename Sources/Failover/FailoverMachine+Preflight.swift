// What a failover refuses, before anything is changed.
extension FailoverMachine {
    /// Whom history names, and whether this server can take over.
    mutating func look(_ database: FoundDatabase) -> [FailoverRefusal] {
        isInRecovery = database.isInRecovery
        replayedTimeline = database.isInRecovery ? database.timeline : nil
        var refusals: [FailoverRefusal] = []
        if database.isInRecovery, !settings.hasPromote { refusals.append(.noPromoteHook) }
        guard let newest = database.history.first else { return refusals + [.noHistory] }
        began = newest
        guard let former = Self.regionDown(by: database.history, survivor: settings.region) else {
            return refusals + [.capturesAlready]
        }
        down = former
        if !settings.peers.contains(former) { refusals.append(.unknownRegion(former)) }
        return refusals
    }

    /// The region that `survivor` takes over from: the one that captures, or did before this failover added its row.
    package static func regionDown(by history: [FoundDatabase.History], survivor: String) -> String? {
        history.first { $0.captureRegion != survivor }?.captureRegion
    }

    /// A region that was heard so lately lives: links send a probe a second.
    static let silence = Duration.seconds(5)

    /// Whether the region captures, by all that is known here, and the one before it lives: nobody is down then. Once a
    /// failover has declared it down, its runs go on to the end; one that was cut off before finds it silent.
    func takesOverFromNobody(_ holding: FoundHolding) -> Bool {
        guard settings.kind == .failover, down != nil, let began, began.captureRegion == settings.region,
            holding.declared != began.number, let heard = holding.heard, heard.age < Self.silence
        else { return false }
        // A server that replays may lack rows of which the journals know.
        return !isInRecovery || holding.history <= began.number
    }

    /// Whether the region that came back can be let in.
    func look(_ returning: Result<FoundReturn, Unreachable>?) -> [FailoverRefusal] {
        var refusals: [FailoverRefusal] = []
        if !settings.hasFence, isInRecovery { refusals.append(.noFenceHook) }
        switch returning {
        case nil: break
        case .failure(let error): refusals.append(.redisUnreachable(error.reason))
        case .success(let found):
            // Once it captures it may have calls: then it has rejoined, and this run only finishes the rest.
            guard began?.captureRegion != settings.region else { break }
            if found.written > 0 { refusals.append(.busy(journals: found.written)) }
            if found.behind > 0 { refusals.append(.notMirrored(journals: found.behind)) }
        }
        return refusals
    }

    /// Whether more may be lost than is accepted; what was declared before was accepted then.
    func refusal(of holding: FoundHolding) -> FailoverRefusal? {
        guard settings.kind == .failover else { return nil }
        if let declared = holding.declared, declared == began?.number { return nil }
        switch (settings.acceptedLoss, bound) {
        case (.any, _): return nil
        case (_, nil): return .lossUnknown
        case (.budget(let accepted), let bound?), (.events(let accepted), let bound?):
            return bound.events > accepted ? .lossTooGreat(bound: bound.events, accepted: accepted) : nil
        }
    }
}
