import Failover
import Journal
import Testing

@Suite("Failover among three regions and more: what the others have and hold")
struct FailoverAmongOthersTests {
    typealias History = FoundDatabase.History

    /// `ap-south` has something that the survivor lacks, `sa-east` is away.
    private static let neighbours: [FoundOther] = {
        var south = FoundOther(region: "ap-south")
        (south.ahead, south.voice, south.behind) = (2, 7, 1)
        south.left = ["rs:{9}:voice:us-east (closed)"]
        return [south, FoundOther(region: "sa-east", unreachable: "no answer")]
    }()

    private static func found(
        _ others: [FoundOther] = neighbours, _ change: (inout FoundHolding) -> Void = { _ in }
    ) -> FailoverFound {
        var found = FailoverMachineTests.healthy
        var holding = FailoverMachineTests.holding
        holding.others = others
        change(&holding)
        found.holding = .success(holding)
        return found
    }

    private func looked(_ found: FailoverFound, isDryRun: Bool = false) -> FailoverMachine {
        var machine = FailoverMachine(
            FailoverMachineTests.settings {
                $0.peers = ["us-east", "ap-south", "sa-east"]
                $0.isDryRun = isDryRun
            })
        machine.looked(found, now: .zero)
        return machine
    }

    @Test("the number is reserved first, journals are levelled behind the fence, and who is away is not asked")
    func transcript() {
        var machine = looked(Self.found())
        #expect(machine.steps == FailoverStep.takeover)
        #expect(machine.nextAction(now: .zero) == .reserve(2, at: ["ap-south"]))
        machine.reserved(now: .zero)
        #expect(machine.nextAction(now: .zero) == .fence("us-east"))
        machine.fenced(.succeeded, now: .zero)
        #expect(machine.nextAction(now: .zero) == .level("us-east", with: ["ap-south"]))
        var levelled = LevelledRegion(region: "ap-south")
        (levelled.fetched, levelled.given, levelled.failure) = (7, 3, "it takes too long")
        machine.levelled([levelled], voice: .max, now: .zero)
        #expect(machine.nextAction(now: .zero) == .drain("us-east"))
        let report = FailoverReport(machine, decidedAt: "")
        #expect(report.levelled == [levelled])
        #expect(report.text.contains("7 entries from ap-south, 3 to it, not all: it takes too long"), "\(report.text)")
        #expect(
            report.warnings.contains { $0.hasPrefix("sa-east could not be reached (no answer): what it alone has") })
    }

    @Test("a dry run tells what would be fetched, given and left, and who cannot be reached")
    func plan() {
        let machine = looked(Self.found(), isDryRun: true)
        #expect(machine.outcome == .planned)
        let text = FailoverPlan(machine).items.first { $0.step == .level }?.text ?? ""
        #expect(text.contains("fetches what ap-south alone has of 2 journals (7 voice entries)"), "\(text)")
        #expect(text.contains("gives ap-south what it lacks of 1 journals"), "\(text)")
        #expect(text.contains("leaves rs:{9}:voice:us-east (closed)"), "\(text)")
        #expect(text.contains("sa-east could not be reached"), "\(text)")
        #expect(FailoverPlan(machine).items.contains { $0.step == .reserve })
    }

    @Test("what another region has is not lost; of two that have some only the one with more counts")
    func bound() {
        // 10 lacking here, and 50 a second for two seconds.
        #expect(looked(Self.found()).bound?.events == 103)
        var more = Self.neighbours[0]
        more.voice = 9
        #expect(looked(Self.found(Self.neighbours + [more])).bound?.lacking == 1)
        more.voice = .max
        #expect(looked(Self.found([more])).bound?.lacking == 0)
        #expect(looked(Self.found([])).bound?.lacking == 10)
    }

    @Test("what did not come after all counts as lost: nothing is promoted then, and the number is given back")
    func lessThanHoped() {
        var machine = looked(Self.found())
        machine.reserved(now: .zero)
        machine.fenced(.succeeded, now: .zero)
        machine.levelled([], voice: 0, now: .zero)
        #expect(machine.nextAction(now: .zero) == .release(at: ["ap-south"], keepsNumber: false))
        machine.unreserved()
        #expect(machine.outcome?.exitCode == 3)
    }

    @Test("what is reserved is given back before promotion, and left to any run from then on; among two nothing is")
    func release() {
        for (steps, keepsNumber) in [(0, false), (1, false), (2, false), (3, false), (4, true)] {
            var machine = looked(Self.found())
            if steps > 0 { machine.reserved(now: .zero) }
            if steps > 1 { machine.fenced(.absent, now: .zero) }
            if steps > 2 { machine.levelled([], voice: .max, now: .zero) }
            if steps > 3 { machine.drained(0, now: .zero) }
            machine.failed(.failed("status 1"), now: .zero)
            #expect(machine.nextAction(now: .zero) == .release(at: ["ap-south"], keepsNumber: keepsNumber))
            machine.unreserved()
            #expect(machine.nextAction(now: .zero) == nil)
            #expect(machine.outcome?.exitCode == 3)
        }
        var alone = looked(Self.found([]))
        alone.failed(.failed("status 1"), now: .zero)
        #expect(alone.outcome == .failed(.fence, reason: "status 1"))
    }

    @Test("a run behind the number reserves none, and one behind the declaration fetches nothing beyond the cut")
    func repeated() {
        let second = History(number: 2, systemID: "71", timeline: 2, captureRegion: "eu-west")
        var found = Self.found { $0.heard = .init(age: .seconds(9), voice: 1000, rate: 50) }
        var database = FailoverMachineTests.promoted
        database.history = [second, FailoverMachineTests.first]
        found.database = .success(database)
        let numbered = FailoverMachine(
            FailoverMachineTests.settings {
                $0.peers = ["us-east", "ap-south", "sa-east"]
                $0.acceptedLoss = .any
            })
        var machine = numbered
        machine.looked(found, now: .zero)
        #expect(machine.nextAction(now: .zero) == .fence("us-east"))
        #expect(machine.steps.contains(.level) && !machine.steps.contains(.reserve))
        found.holding = found.holding.map { holding in
            var holding = holding
            holding.declared = 2
            return holding
        }
        machine = numbered
        machine.looked(found, now: .zero)
        #expect(!machine.steps.contains(.level) && !machine.steps.contains(.reserve))
    }

    @Test("what another region projects beyond the cut breaks it, and is told")
    func beyondCutElsewhere() {
        var checks = FailoverChecks(objects: 1, drift: 0, openCalls: 0, loggedInAgents: 0, beyondCut: 0)
        #expect(checks.areClean)
        checks.beyondCutElsewhere = 1
        #expect(!checks.areClean)
    }
}

@Suite("Failover: what a copy lacks of another")
struct HeldCopyTests {
    private static func copy(_ last: UInt64, _ change: (inout HeldCopy) -> Void = { _ in }) -> HeldCopy {
        let end = EntryID(first: last, second: 0)
        var copy = HeldCopy(birth: "b", last: end, generated: end, newest: "digest")
        change(&copy)
        return copy
    }

    private static func id(_ first: UInt64) -> EntryID { EntryID(first: first, second: 0) }

    @Test("a longer copy of the same birth has a tail; one closed, forked, trimmed or born otherwise gives none")
    func lacks() {
        let (short, long) = (Self.copy(5), Self.copy(9))
        #expect(short.lack(of: long) == .tail)
        #expect(long.lack(of: short) == .nothing)
        #expect(short.lack(of: short) == .nothing)
        let none = HeldCopy(birth: nil, last: .zero, generated: .zero)
        #expect(none.lack(of: long) == .tail)
        #expect(long.lack(of: none) == .nothing)
        #expect(short.lack(of: Self.copy(9) { $0.birth = "c" }) == .obstacle(.otherBirth))
        #expect(short.lack(of: Self.copy(9) { $0.isClosed = true }) == .obstacle(.closed))
        #expect(Self.copy(5) { $0.isClosed = true }.lack(of: long) == .obstacle(.closed))
        #expect(short.lack(of: Self.copy(9) { $0.generated = Self.id(10) }) == .obstacle(.forked))
        // A stream that nobody's mirror has written.
        #expect(HeldCopy(birth: nil, last: .zero, generated: Self.id(3)).lack(of: long) == .obstacle(.forked))
        #expect(short.lack(of: Self.copy(9) { $0.floor = Self.id(5) }) == .tail)
        #expect(short.lack(of: Self.copy(9) { $0.floor = Self.id(6) }) == .obstacle(.trimmed))
        #expect(short.lack(of: Self.copy(9) { $0.gap = Self.id(6) }) == .obstacle(.trimmed))
        #expect(none.lack(of: Self.copy(9) { $0.floor = Self.id(1) }) == .obstacle(.trimmed))
    }

    @Test("a copy goes on from another's end only if both have the same entry there, or it was trimmed there")
    func continues() {
        let (short, long) = (Self.copy(5), Self.copy(9))
        #expect(short.isContinued(by: long, showing: "digest"))
        #expect(!short.isContinued(by: long, showing: "another"))
        #expect(!short.isContinued(by: long, showing: nil))
        #expect(short.isContinued(by: Self.copy(9) { $0.floor = Self.id(5) }, showing: nil))
        #expect(HeldCopy(birth: nil, last: .zero, generated: .zero).isContinued(by: long, showing: nil))
        #expect(Self.copy(5) { $0.newest = nil }.isContinued(by: long, showing: "digest"))
    }
}
