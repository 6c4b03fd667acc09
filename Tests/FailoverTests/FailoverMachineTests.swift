import Failover
import Testing

@Suite("Failover: what is found decides, one step after the other")
struct FailoverMachineTests {
    typealias History = FoundDatabase.History

    static let first = History(number: 1, systemID: "71", timeline: 1, captureRegion: "us-east")
    static let standby = FoundDatabase(isInRecovery: true, systemID: "71", timeline: 1, history: [first])
    static let promoted = FoundDatabase(
        isInRecovery: false, systemID: "71", timeline: 2, history: [first], nextTransaction: 900)
    static let holding = FoundHolding(
        heard: .init(age: .seconds(2), voice: 1000, rate: 50), voice: 990, journals: 3, history: 1, declared: nil)
    static let healthy = FailoverFound(
        database: .success(standby), holding: .success(holding),
        worker: .success(.init(region: "eu-west", waitingFor: [])))

    /// Those of a failover among two regions.
    static let steps = FailoverStep.takeover.filter { !FailoverStep.amongOthers.contains($0) }

    static func settings(_ change: (inout FailoverMachine.Settings) -> Void = { _ in }) -> FailoverMachine.Settings {
        var settings = FailoverMachine.Settings(
            region: "eu-west", peers: ["us-east"], acceptedLoss: .budget(200), hasFence: true, hasPromote: true)
        change(&settings)
        return settings
    }

    private static func found(_ change: (inout FailoverFound) -> Void) -> FailoverFound {
        var found = healthy
        change(&found)
        return found
    }

    private func refusals(
        _ found: FailoverFound, _ settings: FailoverMachine.Settings = settings()
    ) -> [FailoverRefusal] {
        var machine = FailoverMachine(settings)
        machine.looked(found, now: .zero)
        if case .refused(let refusals) = machine.outcome { return refusals }
        return []
    }

    @Test("from the first look to the last: each step once, in order")
    func transcript() {
        var machine = FailoverMachine(Self.settings())
        let second = History(number: 2, systemID: "71", timeline: 2, captureRegion: "eu-west")
        #expect(machine.nextAction(now: .zero) == .look)
        machine.looked(Self.healthy, now: .milliseconds(1))
        #expect(machine.nextAction(now: .zero) == .fence("us-east"))
        machine.fenced(.succeeded, now: .milliseconds(2))
        #expect(machine.nextAction(now: .zero) == .drain("us-east"))
        machine.drained(5, now: .milliseconds(3))
        #expect(machine.nextAction(now: .zero) == .promote("us-east"))
        machine.promoted(Self.promoted, by: .succeeded, now: .milliseconds(4))
        #expect(machine.nextAction(now: .zero) == .add(second, after: 1))
        machine.numbered(isAdded: true, newest: second, now: .milliseconds(5))
        #expect(machine.nextAction(now: .zero) == .declare("us-east", history: 2))
        machine.declared(.init(journals: 3, entries: 990, wasDeclared: false), now: .milliseconds(6))
        #expect(machine.nextAction(now: .zero) == .close("us-east", history: 2))
        machine.closed(.init(calls: 4, agents: 2, events: 9), now: .milliseconds(7))
        #expect(machine.nextAction(now: .zero) == .serve(history: 2))
        machine.serves(now: .milliseconds(8))
        #expect(machine.nextAction(now: .zero) == .verify("us-east"))
        machine.verified(
            .init(objects: 7, drift: 0, openCalls: 0, loggedInAgents: 0, beyondCut: 0), now: .milliseconds(9))
        #expect(machine.nextAction(now: .zero) == nil)
        #expect(machine.outcome == .passed)
        #expect(machine.record.map(\.step) == Self.steps)
        #expect(machine.record.allSatisfy { $0.result == .done && $0.ended != nil })
        #expect(machine.nextTransaction == 900)
    }

    @Test("a run after all was done finds it done")
    func repeated() {
        let second = History(number: 2, systemID: "71", timeline: 2, captureRegion: "eu-west")
        var database = Self.promoted
        database.history = [second, Self.first]
        var machine = FailoverMachine(Self.settings { $0.acceptedLoss = .events(0) })
        machine.looked(
            Self.found {
                $0.database = .success(database)
                var holding = Self.holding
                holding.declared = 2
                $0.holding = .success(holding)
            }, now: .zero)
        #expect(machine.down == "us-east")
        machine.fenced(.succeeded, now: .zero)
        machine.drained(0, now: .zero)
        machine.promoted(database, by: .absent, now: .zero)
        #expect(machine.nextAction(now: .zero) == .declare("us-east", history: 2))
        machine.declared(.init(journals: 3, entries: 990, wasDeclared: true), now: .zero)
        #expect(machine.record.dropLast().map(\.result) == [.done, .done, .done, .found, .found, .found])
        // By now it has given out some of its own.
        #expect(machine.nextTransaction == nil)
    }

    @Test("what is missing is refused, all of it at once")
    func refusals() {
        let away = Unreachable("away")
        #expect(
            refusals(
                .init(database: .failure(away), holding: .failure(away), worker: .failure(away)))
                == [.workerUnreachable("away"), .databaseUnreachable("away"), .redisUnreachable("away")])
        #expect(
            refusals(Self.found { $0.worker = .success(.init(region: "us-east", waitingFor: [])) })
                == [.otherWorker("us-east")])
        #expect(refusals(Self.healthy, Self.settings { $0.hasPromote = false }) == [.noPromoteHook])
        #expect(refusals(Self.healthy, Self.settings { $0.peers = ["ap-south"] }) == [.unknownRegion("us-east")])
        var database = Self.standby
        database.history = []
        #expect(refusals(Self.found { $0.database = .success(database) }) == [.noHistory])
        database.history = [.init(number: 1, systemID: "71", timeline: 1, captureRegion: "eu-west")]
        #expect(refusals(Self.found { $0.database = .success(database) }) == [.capturesAlready])
        // Promoted by hand: the command is not needed.
        database = Self.promoted
        #expect(
            refusals(
                Self.found { $0.database = .success(database) }, Self.settings { $0.hasPromote = false }) == [])
    }

    @Test("a region that captures, and hears the one before it, takes over from nobody")
    func capturesAlready() {
        // A failover to eu-west, a failback to us-east, and all is well since.
        var database = Self.promoted
        database.history = [
            History(number: 3, systemID: "71", timeline: 3, captureRegion: "us-east"),
            History(number: 2, systemID: "71", timeline: 2, captureRegion: "eu-west"), Self.first,
        ]
        database.timeline = 3
        let settings = Self.settings {
            $0.region = "us-east"
            $0.peers = ["eu-west"]
            $0.acceptedLoss = .any
        }
        func refusals(
            age: Duration = .milliseconds(900), lives: Bool = false, declared: UInt64? = nil, history: UInt64 = 3,
            recovers: Bool = false
        ) -> [FailoverRefusal] {
            var holding = Self.holding
            holding.lives = lives
            (holding.declared, holding.history) = (declared, history)
            holding.heard?.age = age
            var server = database
            server.isInRecovery = recovers
            return self.refusals(
                FailoverFound(
                    database: .success(server), holding: .success(holding),
                    worker: .success(.init(region: "us-east", waitingFor: []))), settings)
        }
        #expect(refusals() == [.capturesAlready])
        #expect(refusals(declared: 1) == [.capturesAlready])
        #expect(refusals(recovers: true) == [.capturesAlready])
        // A run that was cut off: behind its number the region that died is silent, or it was declared down.
        #expect(refusals(age: .seconds(5)) == [])
        #expect(refusals(age: .seconds(5), lives: true) == [.capturesAlready])
        #expect(refusals(declared: 3) == [])
        // eu-west has captured since, and this server has not heard of that.
        #expect(refusals(history: 4, recovers: true) == [])
    }

    /// `us-east` was heard two seconds ago, and lives or not.
    private static func heard(lives: Bool, declared: UInt64? = nil) -> FailoverFound {
        var holding = Self.holding
        (holding.lives, holding.declared) = (lives, declared)
        return found { $0.holding = .success(holding) }
    }

    @Test("a region that lives is declared down only if that is confirmed; a dry run warns")
    func regionLives() {
        let confirmed = Self.settings { $0.evenIfAlive = true }
        #expect(refusals(Self.heard(lives: true)) == [.regionLives("us-east")])
        #expect(FailoverRefusal.regionLives("us-east").text.contains("--even-if-alive"))
        #expect(refusals(Self.heard(lives: true), confirmed) == [])
        #expect(refusals(Self.heard(lives: false)) == [])
        // Declared down by a run before: that was decided then.
        #expect(refusals(Self.heard(lives: true, declared: 1)) == [])
        #expect(refusals(Self.heard(lives: true, declared: 0)) == [.regionLives("us-east")])

        func warnings(_ found: FailoverFound, _ settings: FailoverMachine.Settings) -> [String] {
            var machine = FailoverMachine(settings)
            machine.looked(found, now: .zero)
            return FailoverReport(machine, decidedAt: "").warnings
        }
        let dry = Self.settings { $0.isDryRun = true }
        var planned = FailoverMachine(dry)
        planned.looked(Self.heard(lives: true), now: .zero)
        #expect(planned.outcome == .planned)
        let report = FailoverReport(planned, decidedAt: "")
        #expect(report.warnings.count == 1)
        #expect(report.warnings.first?.hasPrefix("us-east lives: it was heard 2.0 s ago, and again") == true)
        #expect(report.warnings.first?.hasSuffix("without --even-if-alive that is refused") == true)
        #expect(report.text.contains("WARNING: us-east lives"), "\(report.text)")
        #expect(warnings(Self.heard(lives: true), confirmed).first?.contains("--even-if-alive") == false)
        // The refusal says it.
        #expect(warnings(Self.heard(lives: true), Self.settings()) == [])
        #expect(warnings(Self.heard(lives: false), dry).first?.contains("make sure that it is down") == true)
        var holding = Self.holding
        holding.heard?.age = .seconds(5)
        #expect(warnings(Self.found { $0.holding = .success(holding) }, dry) == [])
    }

    @Test("rates are told to a tenth")
    func rate() {
        var holding = Self.holding
        holding.heard?.rate = 455.3398058252427
        var machine = FailoverMachine(
            Self.settings {
                $0.isDryRun = true
                $0.acceptedLoss = .any
            })
        machine.looked(Self.found { $0.holding = .success(holding) }, now: .zero)
        let report = FailoverReport(machine, decidedAt: "")
        #expect(report.lossAtMost?.eventsPerSecond == 455.3)
        #expect(report.text.contains("then 455.3/s)"), "\(report.text)")
    }

    @Test("what may be lost: within the budget, beyond it, accepted, not known")
    func losses() {
        // 10 lacking, and 50 a second for two seconds.
        #expect(LossBound(Self.holding)?.events == 110)
        #expect(refusals(Self.healthy, Self.settings { $0.acceptedLoss = .budget(110) }) == [])
        #expect(
            refusals(Self.healthy, Self.settings { $0.acceptedLoss = .budget(109) })
                == [.lossTooGreat(bound: 110, accepted: 109)])
        #expect(
            refusals(Self.healthy, Self.settings { $0.acceptedLoss = .events(0) })
                == [.lossTooGreat(bound: 110, accepted: 0)])
        var holding = Self.holding
        for heard in [nil, FoundHolding.Heard(age: .seconds(1), voice: 1, rate: nil)] {
            holding.heard = heard
            let found = Self.found { $0.holding = .success(holding) }
            #expect(refusals(found) == [.lossUnknown])
            #expect(refusals(found, Self.settings { $0.acceptedLoss = .events(1_000_000) }) == [.lossUnknown])
            #expect(refusals(found, Self.settings { $0.acceptedLoss = .any }) == [])
        }
    }

    @Test("a bound of garbage neither traps nor shrinks")
    func garbage() {
        func bound(_ heard: FoundHolding.Heard, held: UInt64 = 0) -> UInt64? {
            var holding = Self.holding
            holding.heard = heard
            holding.voice = held
            return LossBound(holding)?.events
        }
        #expect(bound(.init(age: .seconds(-5), voice: 3, rate: 10)) == 3)
        #expect(bound(.init(age: .seconds(1), voice: .max, rate: 1)) == .max)
        #expect(bound(.init(age: .seconds(1), voice: 0, rate: .infinity)) == nil)
        #expect(bound(.init(age: .seconds(1), voice: 0, rate: .nan)) == nil)
        #expect(bound(.init(age: .seconds(Int64.max), voice: 0, rate: 1e300)) == 1_000_000_000_000_000)
        #expect(bound(.init(age: .seconds(1), voice: 5, rate: 0), held: 9) == 0)
    }

    @Test("the second of two operators yields, whether it comes late or loses the race")
    func operators() {
        let newer = History(number: 2, systemID: "71", timeline: 2, captureRegion: "eu-west")
        func atPromote() -> FailoverMachine {
            var machine = FailoverMachine(Self.settings())
            machine.looked(Self.healthy, now: .zero)
            machine.fenced(.absent, now: .zero)
            machine.drained(0, now: .zero)
            return machine
        }
        var late = atPromote()
        var database = Self.promoted
        database.history = [newer, Self.first]
        late.promoted(database, by: .absent, now: .zero)
        #expect(late.outcome == .refused([.newerHistory(began: 1, found: 2)]))
        var beaten = atPromote()
        beaten.promoted(Self.promoted, by: .absent, now: .zero)
        beaten.numbered(isAdded: false, newest: newer, now: .zero)
        #expect(beaten.outcome == .refused([.newerHistory(began: 1, found: 2)]))
        #expect(beaten.outcome?.exitCode == 2)
    }

    @Test("an answer that was lost: the row that is there is its own, and one of another region is not")
    func lostAnswer() {
        let second = History(number: 2, systemID: "71", timeline: 2, captureRegion: "eu-west")
        var machine = FailoverMachine(Self.settings())
        machine.looked(Self.healthy, now: .zero)
        machine.fenced(.absent, now: .zero)
        machine.drained(0, now: .zero)
        machine.promoted(Self.promoted, by: .absent, now: .zero)
        machine.failed(.unavailable("the connection is gone"), now: .zero)
        #expect(machine.nextAction(now: .seconds(1)) == .add(second, after: 1))
        var beaten = machine
        machine.numbered(isAdded: false, newest: second, now: .seconds(1))
        #expect(machine.nextAction(now: .seconds(1)) == .declare("us-east", history: 2))
        let other = History(number: 2, systemID: "71", timeline: 2, captureRegion: "ap-south")
        beaten.numbered(isAdded: false, newest: other, now: .seconds(1))
        #expect(beaten.outcome == .refused([.newerHistory(began: 1, found: 2)]))
    }

    @Test("a server that was promoted while it was looked at is looked at again: a history never has an old timeline")
    func oldTimeline() {
        var machine = FailoverMachine(Self.settings())
        machine.looked(Self.healthy, now: .zero)
        machine.fenced(.absent, now: .zero)
        machine.drained(0, now: .zero)
        var half = Self.promoted
        half.timeline = 1
        machine.promoted(half, by: .absent, now: .zero)
        #expect(machine.nextAction(now: .zero) == .wait(until: .milliseconds(100)))
        #expect(machine.nextAction(now: .milliseconds(100)) == .promote("us-east"))
        machine.promoted(Self.promoted, by: .absent, now: .milliseconds(100))
        #expect(machine.history?.timeline == 2)
    }

    @Test("histories that only journals know are passed over")
    func numbers() {
        var holding = Self.holding
        holding.history = 4
        var machine = FailoverMachine(Self.settings())
        machine.looked(Self.found { $0.holding = .success(holding) }, now: .zero)
        machine.fenced(.absent, now: .zero)
        machine.drained(0, now: .zero)
        machine.promoted(Self.promoted, by: .succeeded, now: .zero)
        let fifth = History(number: 5, systemID: "71", timeline: 2, captureRegion: "eu-west")
        #expect(machine.nextAction(now: .zero) == .add(fifth, after: 1))
    }

    @Test("what is away is tried again until patience ends; what failed is not")
    func failures() {
        var machine = FailoverMachine(Self.settings())
        machine.looked(Self.healthy, now: .seconds(1))
        machine.failed(.unavailable("away"), now: .seconds(2))
        #expect(machine.nextAction(now: .seconds(2)) == .wait(until: .milliseconds(2100)))
        #expect(machine.nextAction(now: .milliseconds(2100)) == .fence("us-east"))
        machine.failed(.unavailable("away"), now: .seconds(31))
        #expect(machine.outcome == .failed(.fence, reason: "away"))
        #expect(machine.outcome?.exitCode == 3)
        var other = FailoverMachine(Self.settings())
        other.looked(Self.healthy, now: .zero)
        other.failed(.failed("status 1"), now: .zero)
        #expect(other.outcome == .failed(.fence, reason: "status 1"))
        other.fenced(.succeeded, now: .zero)
        #expect(other.outcome == .failed(.fence, reason: "status 1"))
    }

    @Test("a dry run looks and plans; its plan names what it would do")
    func dryRun() {
        var machine = FailoverMachine(Self.settings { $0.isDryRun = true })
        machine.looked(Self.healthy, now: .zero)
        #expect(machine.outcome == .planned)
        #expect(machine.nextAction(now: .zero) == nil)
        let plan = FailoverPlan(machine)
        #expect(plan.items.map(\.step) == Array(Self.steps.dropFirst()))
        #expect(plan.items.first { $0.step == .number }?.text.contains("history 2") == true)
        var without = FailoverMachine(
            Self.settings {
                $0.isDryRun = true
                $0.hasFence = false
            })
        without.looked(Self.healthy, now: .zero)
        #expect(FailoverPlan(without).items.first?.text == FailoverPlan.noFence)
    }

    /// The region that was down came back, with a standby of the survivor's server.
    private static let returned = FailoverFound(
        database: .success(
            .init(
                isInRecovery: true, systemID: "71", timeline: 2,
                history: [.init(number: 2, systemID: "71", timeline: 2, captureRegion: "eu-west"), first])),
        holding: .success(.init(heard: nil, voice: 0, journals: 0, history: 2, declared: nil)),
        worker: .success(.init(region: "us-east", waitingFor: [])),
        returning: .success(.init(written: 0, behind: 0)))

    private static func failback(_ change: (inout FailoverMachine.Settings) -> Void = { _ in }) -> FailoverMachine {
        var settings = FailoverMachine.Settings(
            kind: .failback, region: "us-east", peers: ["eu-west"], acceptedLoss: .budget(0), hasFence: true,
            hasPromote: true)
        change(&settings)
        return FailoverMachine(settings)
    }

    @Test("failback: the region rejoins first, nobody is declared down, and the third history is its own")
    func failback() {
        var machine = Self.failback()
        machine.looked(Self.returned, now: .zero)
        #expect(machine.nextAction(now: .zero) == .rejoin(history: 2, captures: false))
        machine.rejoined(.init(journals: 3, withheld: 12), now: .zero)
        #expect(machine.nextAction(now: .zero) == .fence("eu-west"))
        machine.fenced(.succeeded, now: .zero)
        machine.drained(0, now: .zero)
        var database = Self.promoted
        database.timeline = 3
        database.history = [.init(number: 2, systemID: "71", timeline: 2, captureRegion: "eu-west"), Self.first]
        machine.promoted(database, by: .succeeded, now: .zero)
        let third = History(number: 3, systemID: "71", timeline: 3, captureRegion: "us-east")
        #expect(machine.nextAction(now: .zero) == .add(third, after: 2))
        machine.numbered(isAdded: true, newest: third, now: .zero)
        #expect(machine.nextAction(now: .zero) == .serve(history: 3))
        machine.serves(now: .zero)
        #expect(machine.nextAction(now: .zero) == .verify(nil))
        machine.verified(
            .init(objects: 7, drift: 0, openCalls: 0, loggedInAgents: 0, beyondCut: 0), now: .zero)
        #expect(machine.outcome == .passed)
        #expect(machine.record.map(\.step) == FailoverStep.handback)
    }

    @Test("a failback that is run again when the region captures knows that what is open there may live")
    func failbackAgain() {
        var found = Self.returned
        var database = Self.promoted
        database.timeline = 3
        database.history = [
            .init(number: 3, systemID: "71", timeline: 3, captureRegion: "us-east"),
            .init(number: 2, systemID: "71", timeline: 2, captureRegion: "eu-west"), Self.first,
        ]
        found.database = .success(database)
        found.returning = .success(.init(written: 5, behind: 1))
        var machine = Self.failback()
        machine.looked(found, now: .zero)
        #expect(machine.nextAction(now: .zero) == .rejoin(history: 3, captures: true))
    }

    @Test("a failback that ends before it promotes takes back what it reserved, and later leaves it to other runs")
    func unreserves() {
        var machine = Self.failback()
        machine.looked(Self.returned, now: .zero)
        for step in [FailoverStep.rejoin, .fence, .drain] {
            var failed = machine
            failed.failed(.failed("status 1"), now: .zero)
            #expect(failed.nextAction(now: .zero) == .unreserve(keepsNumber: false))
            #expect(failed.outcome == nil)
            #expect(failed.record.last?.step == step && failed.record.last?.result == .failed)
            var away = failed
            failed.unreserved()
            #expect(failed.nextAction(now: .zero) == nil)
            #expect(failed.outcome == .failed(step, reason: "status 1"))
            away.failed(.unavailable("no route"), now: .zero)
            #expect(away.nextAction(now: .zero) == nil)
            guard case .failed(step, let reason) = away.outcome else {
                Issue.record("it ended with \(String(describing: away.outcome))")
                continue
            }
            #expect(reason.hasPrefix("status 1; ") && reason.hasSuffix("no route"))
            switch step {
            case .rejoin: machine.rejoined(.init(journals: 3, withheld: 12), now: .zero)
            case .fence: machine.fenced(.succeeded, now: .zero)
            default: machine.drained(0, now: .zero)
            }
        }
        #expect(machine.nextAction(now: .zero) == .promote("eu-west"))
        machine.failed(.failed("status 1"), now: .zero)
        #expect(machine.nextAction(now: .zero) == .unreserve(keepsNumber: true))
        machine.unreserved()
        #expect(machine.nextAction(now: .zero) == nil)
        #expect(machine.outcome == .failed(.promote, reason: "status 1"))
        // Somebody promoted the server before: peers may have heard of it.
        var promoted = Self.failback()
        var found = Self.returned
        found.database = found.database.map { database in
            var database = database
            database.isInRecovery = false
            return database
        }
        promoted.looked(found, now: .zero)
        promoted.failed(.failed("status 1"), now: .zero)
        #expect(promoted.nextAction(now: .zero) == .unreserve(keepsNumber: true))
        promoted.unreserved()
        #expect(promoted.outcome == .failed(.rejoin, reason: "status 1"))
    }

    @Test("failback is refused while front ends write, peers lack entries, or nothing stops the other primary")
    func failbackRefusals() {
        func refusals(_ machine: FailoverMachine, _ change: (inout FailoverFound) -> Void) -> [FailoverRefusal] {
            var (machine, found) = (machine, Self.returned)
            change(&found)
            machine.looked(found, now: .zero)
            if case .refused(let refusals) = machine.outcome { return refusals }
            return []
        }
        #expect(refusals(Self.failback()) { _ in } == [])
        #expect(
            refusals(Self.failback()) { $0.returning = .success(.init(written: 2, behind: 1)) }
                == [.busy(journals: 2), .notMirrored(journals: 1)])
        #expect(
            refusals(Self.failback()) { $0.returning = .failure(Unreachable("away")) } == [.redisUnreachable("away")])
        #expect(refusals(Self.failback { $0.hasFence = false }) { _ in } == [.noFenceHook])
    }

    @Test("failback is refused to a region from which no other one has taken over")
    func neverDown() {
        func refusals(_ rows: [(UInt64, String)]) -> [FailoverRefusal] {
            var (machine, found) = (Self.failback(), Self.returned)
            found.database = found.database.map { database in
                var database = database
                database.history = rows.map {
                    History(number: $0.0, systemID: "71", timeline: 2, captureRegion: $0.1)
                }
                return database
            }
            // Its front ends are at work, as they should be.
            found.returning = .success(.init(written: 3, behind: 2))
            machine.looked(found, now: .zero)
            if case .refused(let refusals) = machine.outcome { return refusals }
            return []
        }
        // It captures; another one does; it does since it took over itself.
        #expect(refusals([(1, "us-east")]) == [.neverDown("us-east")])
        #expect(refusals([(1, "eu-west")]) == [.neverDown("us-east")])
        #expect(refusals([(2, "us-east"), (1, "eu-west")]) == [.neverDown("us-east")])
        #expect(
            refusals([(2, "eu-west"), (1, "us-east")]) == [.busy(journals: 3), .notMirrored(journals: 2)])
        #expect(refusals([(3, "us-east"), (2, "eu-west"), (1, "us-east")]) == [])
    }

    @Test("a check that fails breaks it")
    func broken() {
        for checks in [
            FailoverChecks(objects: 1, drift: 1, openCalls: 0, loggedInAgents: 0, beyondCut: 0),
            FailoverChecks(objects: 1, drift: 0, openCalls: 1, loggedInAgents: 0, beyondCut: 0),
            FailoverChecks(objects: 1, drift: 0, openCalls: 0, loggedInAgents: 1, beyondCut: 0),
            FailoverChecks(objects: 1, drift: 0, openCalls: 0, loggedInAgents: 0, beyondCut: 1),
        ] {
            #expect(!checks.areClean)
        }
    }
}
