/// Decides the steps of a failover from what is found, and keeps the record of them.
///
/// The driver performs `nextAction`, and reports what came of it; time is measured from the decision to fail over.
package struct FailoverMachine: Sendable {
    package enum Action: Hashable, Sendable {
        /// Try again then.
        case wait(until: Duration)
        case look
        /// `captures`: the region has its role back, by an earlier run.
        case rejoin(history: UInt64, captures: Bool)
        /// Take back what was reserved at the peers when the region rejoined, or only leave it to other runs; answer with
        /// `unreserved`.
        case unreserve(keepsNumber: Bool)
        /// Reserve this history number here and at these regions.
        case reserve(UInt64, at: [String])
        /// Take back what was reserved so, or only leave it to other runs; answer with `unreserved`.
        case release(at: [String], keepsNumber: Bool)
        case fence(String)
        /// Let this region and these others have the same of the one that is down.
        case level(String, with: [String])
        case drain(String)
        /// Promote, unless it is done, and look at the server again.
        case promote(String)
        case add(FoundDatabase.History, after: UInt64)
        case declare(String, history: UInt64)
        case close(String, history: UInt64)
        case serve(history: UInt64)
        case verify(String?)
    }

    package enum State: Hashable, Sendable {
        /// A step is to be done. → the next step, unreserving, finished
        case at(FailoverStep)
        /// A step could not be done, and what was reserved for those behind it is to be given up. → finished
        case unreserving(FailoverStep, reason: String)
        /// Final.
        case finished(FailoverOutcome)
    }

    package let settings: Settings
    package private(set) var state = State.at(.preflight)
    package private(set) var record: [StepRecord]
    /// The region that is down, or hands over, once it is known.
    package internal(set) var down: String?
    /// The newest history when this run began.
    package internal(set) var began: FoundDatabase.History?
    /// The history that this failover made, or found made.
    package private(set) var history: FoundDatabase.History?
    package private(set) var bound: LossBound?
    package private(set) var holding: FoundHolding?
    package internal(set) var isInRecovery = true
    /// The server's timeline while it replayed.
    var replayedTimeline: UInt32?
    package private(set) var nextTransaction: UInt64?
    /// The history names this region, on this server: an earlier run came so far.
    var isTakenOver = false
    package private(set) var rejoined: RejoinedJournals?
    package private(set) var levelled: [LevelledRegion]?
    package private(set) var cut: DeclaredCut?
    package private(set) var orphans: ClosedOrphans?
    package private(set) var checks: FailoverChecks?
    /// Whether an attempt to add the history was left without an answer: then it may be there.
    private var mayBeAdded = false
    private var retryAt: Duration?

    package init(_ settings: Settings) {
        self.settings = settings
        record = [StepRecord(step: .preflight, began: .zero)]
    }

    /// The number of the history to be added: above all that PostgreSQL and the journals here know, since a row, too, may
    /// not have come to the standby.
    package var nextNumber: UInt64 { max(began?.number ?? 0, holding?.history ?? 0) + 1 }

    package var outcome: FailoverOutcome? { if case .finished(let outcome) = state { outcome } else { nil } }

    // MARK: Actions

    /// What to do at `now`; nil when it is finished.
    package func nextAction(now: Duration) -> Action? {
        if case .unreserving(let step, _) = state {
            let keepsNumber = needsNumber(at: step)
            return settings.kind == .failback
                ? .unreserve(keepsNumber: keepsNumber) : .release(at: reachable, keepsNumber: keepsNumber)
        }
        guard case .at(let step) = state else { return nil }
        if let retryAt, now < retryAt { return .wait(until: retryAt) }
        if step == .preflight { return .look }
        guard let down else { return nil }
        switch (step, history) {
        case (.rejoin, _):
            return .rejoin(history: began?.number ?? 0, captures: began?.captureRegion == settings.region)
        case (.reserve, _): return .reserve(nextNumber, at: reachable)
        case (.fence, _): return .fence(down)
        case (.level, _): return .level(down, with: reachable)
        case (.drain, _): return .drain(down)
        case (.promote, _): return .promote(down)
        case (.number, let history?): return .add(history, after: began?.number ?? 0)
        case (.declare, let history?): return .declare(down, history: history.number)
        case (.close, let history?): return .close(down, history: history.number)
        case (.serve, let history?): return .serve(history: history.number)
        case (.verify, _): return .verify(settings.kind == .failover ? down : nil)
        case (.preflight, _), (.number, nil), (.declare, nil), (.close, nil), (.serve, nil): return nil
        }
    }

    // MARK: Facts

    /// Everything was looked at.
    package mutating func looked(_ found: FailoverFound, now: Duration) {
        guard case .at(.preflight) = state else { return }
        var refusals: [FailoverRefusal] = []
        switch found.worker {
        case .failure(let error): refusals.append(.workerUnreachable(error.reason))
        case .success(let worker) where worker.region != settings.region: refusals.append(.otherWorker(worker.region))
        case .success: break
        }
        switch found.database {
        case .failure(let error): refusals.append(.databaseUnreachable(error.reason))
        case .success(let database): refusals += look(database)
        }
        switch found.holding {
        case .failure(let error): refusals.append(.redisUnreachable(error.reason))
        case .success(let holding):
            self.holding = holding
            bound = LossBound(holding)
            if takesOverFromNobody(holding) {
                refusals.append(.capturesAlready)
            } else if let down, needsConfirmation(holding) {
                refusals.append(.regionLives(down))
            }
            if let refusal = refusal(of: holding) { refusals.append(refusal) }
        }
        if settings.kind == .failback, !refusals.contains(.neverDown(settings.region)) {
            refusals += look(found.returning)
        }
        guard refusals.isEmpty else { return finish(.refused(refusals), .failed, now) }
        guard !settings.isDryRun else { return finish(.planned, .done, now) }
        advance(.done, down.map { "from \($0)" } ?? "", now)
    }

    package mutating func rejoined(_ journals: RejoinedJournals, now: Duration) {
        guard case .at(.rejoin) = state else { return }
        rejoined = journals
        let note = "\(journals.journals) voice journals, \(journals.withheld) entries stay out of the peers' state"
        advance(journals.journals == 0 ? .found : .done, note, now)
    }

    /// The next history number is reserved for this run.
    package mutating func reserved(now: Duration) {
        guard case .at(.reserve) = state else { return }
        advance(.done, "history \(nextNumber)", now)
    }

    package mutating func fenced(_ result: HookResult, now: Duration) {
        guard case .at(.fence) = state else { return }
        switch result {
        case .succeeded: advance(.done, "", now)
        case .absent: advance(.skipped, FailoverPlan.noFence, now)
        }
    }

    /// What other regions have was given to this one, as far as it came; it holds `voice` voice entries now.
    package mutating func levelled(_ regions: [LevelledRegion], voice: UInt64, now: Duration) {
        guard case .at(.level) = state else { return }
        levelled = regions
        if var held = holding {
            (held.voice, held.others) = (voice, [])
            bound = LossBound(held)
            if let refusal = refusal(of: held) { return failed(.failed(refusal.text), now: now) }
        }
        let note = regions.map(\.text).joined(separator: "; ")
        advance(regions.isEmpty ? .skipped : .done, regions.isEmpty ? "no other region could be reached" : note, now)
    }

    package mutating func drained(_ journals: Int, now: Duration) {
        guard case .at(.drain) = state else { return }
        advance(.done, "\(journals) journals were behind", now)
    }

    /// The server takes writes, and is now like this.
    package mutating func promoted(_ database: FoundDatabase, by result: HookResult, now: Duration) {
        guard case .at(.promote) = state, let began else { return }
        if let replayedTimeline, database.timeline <= replayedTimeline {
            return failed(.unavailable("the server is promoted and shows the timeline of before"), now: now)
        }
        // Later it would be any number.
        nextTransaction = result == .succeeded ? database.nextTransaction : nil
        let newest = database.history.first?.number ?? 0
        guard newest == began.number else {
            return finish(.refused([.newerHistory(began: began.number, found: newest)]), .failed, now)
        }
        let note = "timeline \(database.timeline)"
        advance(result == .succeeded ? .done : .found, note, now)
        if began.captureRegion == settings.region, began.systemID == database.systemID,
            began.timeline == database.timeline
        {
            history = began
            return advance(.found, "history \(began.number)", now)
        }
        history = FoundDatabase.History(
            number: nextNumber, systemID: database.systemID, timeline: database.timeline,
            captureRegion: settings.region)
    }

    /// The row was added, or another one was there; `newest` is the newest now.
    package mutating func numbered(isAdded: Bool, newest: FoundDatabase.History?, now: Duration) {
        guard case .at(.number) = state, let began, let history else { return }
        guard isAdded || mayBeAdded && newest == history else {
            let found = newest?.number ?? 0
            return finish(.refused([.newerHistory(began: began.number, found: found)]), .failed, now)
        }
        advance(.done, "history \(history.number)", now)
    }

    package mutating func declared(_ cut: DeclaredCut, now: Duration) {
        guard case .at(.declare) = state else { return }
        self.cut = cut
        let note = "\(cut.journals) voice journals end behind \(cut.entries) entries"
        advance(cut.wasDeclared ? .found : .done, note, now)
    }

    package mutating func closed(_ orphans: ClosedOrphans, now: Duration) {
        guard case .at(.close) = state else { return }
        self.orphans = orphans
        advance(.done, "\(orphans.calls) calls, \(orphans.agents) agents", now)
    }

    package mutating func serves(now: Duration) {
        guard case .at(.serve) = state else { return }
        advance(.done, "", now)
    }

    package mutating func verified(_ checks: FailoverChecks, now: Duration) {
        guard case .at(.verify) = state else { return }
        self.checks = checks
        finish(checks.areClean ? .passed : .broken, checks.areClean ? .done : .failed, now)
    }

    /// What was reserved at the peers was taken back, or could not be.
    package mutating func unreserved(_ failure: FailoverFailure? = nil) {
        guard case .unreserving(let step, var reason) = state else { return }
        switch failure {
        case .unavailable(let why), .failed(let why):
            let other = settings.kind == .failback ? "another failback" : "a failover to another region"
            let refused = needsNumber(at: step) ? "\(other) is refused" : "peers may refuse to capture"
            reason += "; and until a reserved history expires, within minutes, \(refused): \(why)"
        case nil: break
        }
        state = .finished(.failed(step, reason: reason))
    }

    /// The step could not be done.
    package mutating func failed(_ failure: FailoverFailure, now: Duration) {
        if case .unreserving = state { return unreserved(failure) }
        guard case .at(let step) = state else { return }
        switch failure {
        case .unavailable where now - (record.last?.began ?? .zero) < settings.patience:
            if step == .number { mayBeAdded = true }
            retryAt = now + settings.pause
        case .unavailable(let reason), .failed(let reason):
            finish(.failed(step, reason: reason), .failed, now, note: reason)
            if holdsNumber(at: step) { state = .unreserving(step, reason: reason) }
        }
    }

    /// Whether peers hold a history number for this run, which does not exist yet.
    private func holdsNumber(at step: FailoverStep) -> Bool {
        guard settings.kind == .failback || steps.contains(.reserve) else { return false }
        return [.rejoin, .reserve, .fence, .level, .drain, .promote, .number].contains(step)
    }

    /// Whether peers need the number although this run has ended: once the server may be promoted they would take it for
    /// one of their own.
    private func needsNumber(at step: FailoverStep) -> Bool {
        !isInRecovery || [.promote, .number].contains(step)
    }

    // MARK: Record

    /// To the next step; the last one finishes by itself.
    private mutating func advance(_ result: StepResult, _ note: String, _ now: Duration) {
        close(result, note, now)
        guard case .at(let step) = state, let place = steps.firstIndex(of: step), place + 1 < steps.count else {
            return
        }
        let next = steps[place + 1]
        record.append(StepRecord(step: next, began: now))
        state = .at(next)
    }

    private mutating func finish(
        _ outcome: FailoverOutcome, _ result: StepResult, _ now: Duration, note: String = ""
    ) {
        close(result, note, now)
        state = .finished(outcome)
    }

    private mutating func close(_ result: StepResult, _ note: String, _ now: Duration) {
        retryAt = nil
        record[record.count - 1].ended = now
        record[record.count - 1].result = result
        record[record.count - 1].note = note
    }
}
