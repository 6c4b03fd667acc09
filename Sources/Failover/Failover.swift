/// Takes over from a region that is down: drives a `FailoverMachine` to its end.
package struct Failover: Sendable {
    private let settings: FailoverMachine.Settings
    private let database: any FailoverDatabase
    private let region: any FailoverRegion
    private let hooks: any FailoverHooks
    private let progress: @Sendable (StepRecord) -> Void

    /// `progress` is told of every step when it ends.
    package init(
        _ settings: FailoverMachine.Settings, database: any FailoverDatabase, region: any FailoverRegion,
        hooks: any FailoverHooks, progress: @escaping @Sendable (StepRecord) -> Void = { _ in }
    ) {
        self.settings = settings
        self.database = database
        self.region = region
        self.hooks = hooks
        self.progress = progress
    }

    /// Runs until it has passed, is refused, or cannot go on; answers the machine with its record.
    package func run() async -> FailoverMachine {
        let decided = ContinuousClock.now
        var machine = FailoverMachine(settings)
        var told = 0
        while let action = machine.nextAction(now: decided.duration(to: .now)) {
            do throws(FailoverFailure) {
                try await perform(action, &machine, decided)
            } catch {
                machine.failed(error, now: decided.duration(to: .now))
            }
            while told < machine.record.count, machine.record[told].ended != nil {
                progress(machine.record[told])
                told += 1
            }
        }
        return machine
    }

    private func perform(
        _ action: FailoverMachine.Action, _ machine: inout FailoverMachine, _ decided: ContinuousClock.Instant
    ) async throws(FailoverFailure) {
        switch action {
        case .wait(let time):
            do { try await Task.sleep(until: decided + time, clock: .continuous) } catch {
                throw .failed("it was interrupted")
            }
        case .look:
            let found = await look()
            machine.looked(found, now: decided.duration(to: .now))
        case .rejoin(let history, let captures):
            let journals = try await region.rejoin(history: history, captures: captures)
            machine.rejoined(journals, now: decided.duration(to: .now))
        case .unreserve(let keepsNumber):
            try await region.unreserve(keepsNumber: keepsNumber)
            machine.unreserved()
        case .reserve(let number, let others):
            try await region.reserve(number, at: others)
            machine.reserved(now: decided.duration(to: .now))
        case .release(let others, let keepsNumber):
            try await region.release(at: others, keepsNumber: keepsNumber)
            machine.unreserved()
        case .fence(let down):
            let result = try await hooks.fence(down)
            machine.fenced(result, now: decided.duration(to: .now))
        case .level(let down, let others):
            let levelled = try await region.level(down, with: others)
            let voice = try await region.holding(of: down).voice
            machine.levelled(levelled, voice: voice, now: decided.duration(to: .now))
        case .drain(let down):
            let journals = try await region.drain(down)
            machine.drained(journals, now: decided.duration(to: .now))
        case .promote(let down):
            // Fencing and draining may have taken as long as a reservation lasts.
            if machine.hasReserved { try await region.reserve(machine.nextNumber, at: machine.reachable) }
            let (found, result) = try await promote(down)
            machine.promoted(found, by: result, now: decided.duration(to: .now))
        case .add(let row, let newest):
            let isAdded = try await database.add(row, after: newest)
            let found = isAdded ? row : try await database.look().history.first
            machine.numbered(isAdded: isAdded, newest: found, now: decided.duration(to: .now))
        case .declare(let down, let history):
            let cut = try await region.declare(down, history: history)
            machine.declared(cut, now: decided.duration(to: .now))
        case .close(let down, let history):
            let orphans = try await region.closeOrphans(of: down, history: history)
            machine.closed(orphans, now: decided.duration(to: .now))
        case .serve(let history):
            try await region.serves(history: history)
            machine.serves(now: decided.duration(to: .now))
        case .verify(let down):
            let checks = try await region.verify(down)
            machine.verified(checks, now: decided.duration(to: .now))
        }
    }

    private func look() async -> FailoverFound {
        let database = await reached { () throws(FailoverFailure) in try await self.database.look() }
        var down: String?
        if case .success(let found) = database {
            down = FailoverMachine.regionDown(by: found.history, survivor: settings.region)
        }
        let holding = await reached { () throws(FailoverFailure) in try await self.holding(of: down) }
        let worker = await reached { () throws(FailoverFailure) in try await region.worker() }
        var found = FailoverFound(database: database, holding: holding, worker: worker)
        if settings.kind == .failback {
            found.returning = await reached { () throws(FailoverFailure) in try await region.returning() }
        }
        return found
    }

    private func holding(of down: String?) async throws(FailoverFailure) -> FoundHolding {
        var holding = try await region.holding(of: down)
        guard settings.kind == .failover, let down else { return holding }
        // Whoever is away is waited for meanwhile.
        async let others = region.others(besides: down)
        // What was heard last may have been said just before the region died; and one that lives may long have
        // said nothing of what it has.
        holding.lives = try await region.lives(down)
        holding.others = await others
        return holding
    }

    private func reached<Found: Sendable>(
        _ look: () async throws(FailoverFailure) -> Found
    ) async -> Result<Found, Unreachable> {
        do throws(FailoverFailure) {
            return .success(try await look())
        } catch {
            return .failure(Unreachable(error.reason))
        }
    }

    /// The server as it is once it takes writes, and whether it was promoted now. A command that fails where another
    /// operator's has succeeded is no failure: the server says so.
    private func promote(_ down: String) async throws(FailoverFailure) -> (FoundDatabase, HookResult) {
        let before = try await database.look()
        guard before.isInRecovery else { return (before, .absent) }
        let result: HookResult
        do throws(FailoverFailure) {
            result = try await hooks.promote(down)
        } catch {
            let after = try await database.look()
            guard !after.isInRecovery else { throw error }
            return (after, .absent)
        }
        guard result == .succeeded else { throw .failed("there is no command to promote") }
        let after = try await database.look()
        guard !after.isInRecovery else { throw .unavailable("the server replays still") }
        return (after, .succeeded)
    }
}
