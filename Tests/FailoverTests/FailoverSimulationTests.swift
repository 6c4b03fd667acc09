import Failover
import Testing
import Traffic

/// Operators who fail over at the same time, are killed anywhere, and begin again; and the servers as values.
private struct World {
    var isInRecovery = true
    var history = [FailoverMachineTests.first]
    /// By history: how often the region was declared down, and its orphans closed.
    var declarations: [UInt64: Int] = [:]
    var closings: [UInt64: Int] = [:]
    var cuts = 0
    var captures: UInt64 = 1
    /// Regions beside the two.
    var others: [FoundOther] = []
    var random: SplitMix64

    var database: FoundDatabase {
        FoundDatabase(
            isInRecovery: isInRecovery, systemID: "71", timeline: isInRecovery ? 1 : 2, history: history,
            nextTransaction: 900)
    }

    var found: FailoverFound {
        var holding = FailoverMachineTests.holding
        holding.declared = declarations.keys.max()
        holding.others = others
        holding.heard = FoundHolding.Heard(age: .seconds(6), voice: 1000, rate: 20)
        return FailoverFound(
            database: .success(database), holding: .success(holding),
            worker: .success(.init(region: "eu-west", waitingFor: [])))
    }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    /// Does what the machine asks. The link may break before it is done, or before the answer comes.
    mutating func perform(_ machine: inout FailoverMachine, now: Duration) {
        guard let action = machine.nextAction(now: now) else { return }
        if chance(10) { return machine.failed(.unavailable("link"), now: now) }
        let before = machine
        answer(action, &machine, now)
        if chance(10), case .at = before.state {
            machine = before
            machine.failed(.unavailable("link"), now: now)
        }
    }

    private mutating func answer(_ action: FailoverMachine.Action, _ machine: inout FailoverMachine, _ now: Duration) {
        switch action {
        case .wait: break
        case .look: machine.looked(found, now: now)
        case .rejoin: machine.rejoined(.init(journals: 0, withheld: 0), now: now)
        case .unreserve: machine.unreserved()
        case .reserve: machine.reserved(now: now)
        case .release: machine.unreserved()
        case .level: machine.levelled([], voice: .max, now: now)
        case .fence: machine.fenced(.succeeded, now: now)
        case .drain: machine.drained(0, now: now)
        case .promote:
            let isDoneNow = isInRecovery
            isInRecovery = false
            machine.promoted(database, by: isDoneNow ? .succeeded : .absent, now: now)
        case .add(let row, let newest):
            let isAdded = history.first?.number == newest
            if isAdded { history.insert(row, at: 0) }
            machine.numbered(isAdded: isAdded, newest: history.first, now: now)
        case .declare(_, let number):
            cuts = 1
            let wasDeclared = declarations[number] != nil
            if !wasDeclared { declarations[number] = 1 }
            machine.declared(.init(journals: 1, entries: 1, wasDeclared: wasDeclared), now: now)
        case .close(_, let number):
            if closings[number] == nil { closings[number] = 1 }
            machine.closed(.init(calls: 0, agents: 0, events: 0), now: now)
        case .serve(let number):
            captures = number
            machine.serves(now: now)
        case .verify:
            machine.verified(
                .init(objects: 1, drift: 0, openCalls: 0, loggedInAgents: 0, beyondCut: 0), now: now)
        }
    }
}

@Suite("Failover: operators at the same time, killed anywhere")
struct FailoverSimulationTests {
    @Test("one history is added, the region is declared down once, and in the end it is taken over", arguments: 1...300)
    func operators(seed: UInt64) {
        let others = seed.isMultiple(of: 2) ? [FoundOther(region: "ap-south")] : []
        var world = World(others: others, random: SplitMix64(seed: seed))
        var machines = [0, 1, 2].map { _ in FailoverMachine(FailoverMachineTests.settings()) }
        var now = Duration.zero
        for _ in 0..<120 {
            now += .milliseconds(60)
            let place = Int.random(in: machines.indices, using: &world.random)
            if Int.random(in: 0..<12, using: &world.random) == 0 {
                machines[place] = FailoverMachine(FailoverMachineTests.settings())  // killed, and run again
            }
            world.perform(&machines[place], now: now)
            #expect(world.history.count <= 2, "seed \(seed)")
        }
        // Calm: somebody runs it again until it has passed, with the losses accepted before.
        var passed = false
        for _ in 0..<20 where !passed {
            var machine = FailoverMachine(FailoverMachineTests.settings())
            while machine.outcome == nil {
                now += .milliseconds(200)
                world.perform(&machine, now: now)
            }
            passed = machine.outcome == .passed
        }
        #expect(passed, "seed \(seed)")
        #expect(world.history.map(\.number) == [2, 1], "seed \(seed)")
        #expect(world.declarations == [2: 1] && world.closings == [2: 1], "seed \(seed)")
        #expect(world.captures == 2 && !world.isInRecovery, "seed \(seed)")
    }
}
