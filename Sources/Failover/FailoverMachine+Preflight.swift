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
        isTakenOver =
            !database.isInRecovery && newest.captureRegion == settings.region
            && newest.systemID == database.systemID && newest.timeline == database.timeline
        if settings.kind == .failback, !Self.wasReplaced(settings.region, by: database.history) {
            return refusals + [.neverDown(settings.region)]
        }
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

    /// Whether another region has captured after it, so that there is something to give back.
    private static func wasReplaced(_ region: String, by history: [FoundDatabase.History]) -> Bool {
        history.drop { $0.captureRegion == region }.contains { $0.captureRegion == region }
    }

    /// A region that said what it has so lately may live: links do so once a second, unless they do not know it.
    private static let silence = Duration.seconds(5)

    private static func wasHeardLately(_ holding: FoundHolding) -> Bool {
        holding.lives || holding.heard.map { $0.age < silence } ?? false
    }

    /// Whether the region is to be declared down although it may live. What was declared before was decided then.
    private func mayDeclareLiving(_ holding: FoundHolding) -> Bool {
        settings.kind == .failover && holding.declared != began?.number && Self.wasHeardLately(holding)
    }

    /// Whether the region that is to be declared down lives, and nobody has confirmed that this is meant.
    func needsConfirmation(_ holding: FoundHolding) -> Bool {
        holding.lives && mayDeclareLiving(holding) && !settings.isDryRun && !settings.evenIfAlive
    }

    /// What an operator should know before going on, in sentences.
    package var warnings: [String] {
        guard let down, let holding else { return [] }
        return livingWarnings(down, holding) + holding.others.compactMap { $0.warning(of: down) }
    }

    private func livingWarnings(_ down: String, _ holding: FoundHolding) -> [String] {
        guard mayDeclareLiving(holding) else { return [] }
        if case .refused(let all) = outcome, all.contains(.regionLives(down)) || all.contains(.capturesAlready) {
            return []
        }
        let ago = holding.heard.map { "\(max(.zero, $0.age).inSeconds) s ago, and " } ?? ""
        guard holding.lives else {
            return ["\(down) was heard \(ago)not again while this was looked at: make sure that it is down"]
        }
        let confirmation = settings.evenIfAlive ? "" : "; without --even-if-alive that is refused"
        return [
            "\(down) lives: it was heard \(ago.isEmpty ? "" : "\(ago)again ")while this was looked at. Declared down, what "
                + "it goes on writing stays out of the state of \(settings.region)" + confirmation
        ]
    }

    /// Whether the region captures, by all that is known here, and the one before it lives: nobody is down then. Once a
    /// failover has declared it down, its runs go on to the end; one that was cut off before finds it silent.
    func takesOverFromNobody(_ holding: FoundHolding) -> Bool {
        guard settings.kind == .failover, down != nil, let began, began.captureRegion == settings.region,
            holding.declared != began.number, Self.wasHeardLately(holding)
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
