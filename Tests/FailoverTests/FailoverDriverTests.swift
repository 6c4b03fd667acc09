import Failover
import Synchronization
import Testing

/// Servers that do at once what they are asked; the database may be promoted by somebody else while the command runs, and
/// what it answers to an added row may be lost.
private final class Stage: FailoverDatabase, FailoverRegion, FailoverHooks {
    private let database: Mutex<FoundDatabase>
    private let said = Mutex<[String]>([])
    let promotion: @Sendable (inout FoundDatabase) throws(FailoverFailure) -> Void
    let awaysBefore: Mutex<Int>
    let lostAnswers: Mutex<Int>
    let fences: Bool
    /// Whether the region that is to be declared down gives a sign of life.
    let isAlive: Bool
    /// The regions beside the two.
    let neighbours: [FoundOther]
    /// When that region told last what it has.
    let heard: FoundHolding.Heard?

    init(
        aways: Int = 0, lostAnswers: Int = 0, fences: Bool = true, lives: Bool = false, others: [FoundOther] = [],
        heard: FoundHolding.Heard? = FailoverMachineTests.holding.heard,
        history: [FoundDatabase.History] = [FailoverMachineTests.first],
        promotion: @escaping @Sendable (inout FoundDatabase) throws(FailoverFailure) -> Void = Stage.works
    ) {
        self.promotion = promotion
        awaysBefore = Mutex(aways)
        self.lostAnswers = Mutex(lostAnswers)
        self.fences = fences
        isAlive = lives
        neighbours = others
        self.heard = heard
        var database = FailoverMachineTests.standby
        database.history = history
        self.database = Mutex(database)
    }

    @Sendable static func works(_ database: inout FoundDatabase) throws(FailoverFailure) {
        database.isInRecovery = false
        database.timeline = 2
    }

    var calls: [String] { said.withLock { $0 } }

    private func say(_ word: String) { said.withLock { $0.append(word) } }

    func look() -> FoundDatabase { database.withLock { $0 } }
    func add(_ row: FoundDatabase.History, after newest: UInt64) async throws(FailoverFailure) -> Bool {
        say("add \(row.number)")
        let isAdded = database.withLock { database in
            guard database.history.first?.number == newest else { return false }
            database.history.insert(row, at: 0)
            return true
        }
        let isLost = lostAnswers.withLock { left in
            left -= 1
            return left >= 0
        }
        if isLost { throw .unavailable("the connection is gone") }
        return isAdded
    }
    func holding(of down: String?) -> FoundHolding {
        var holding = FailoverMachineTests.holding
        holding.heard = heard
        return holding
    }
    func lives(_ down: String) -> Bool { isAlive }
    func worker() -> FoundWorker { FoundWorker(region: "eu-west", waitingFor: []) }
    func returning() -> FoundReturn { FoundReturn(written: 0, behind: 0) }
    func rejoin(history: UInt64, captures: Bool) -> RejoinedJournals {
        say("rejoin \(history)")
        return RejoinedJournals(journals: 0, withheld: 0)
    }
    func unreserve(keepsNumber: Bool) { say(keepsNumber ? "leave" : "unreserve") }
    func others(besides down: String) -> [FoundOther] { neighbours }
    func reserve(_ number: UInt64, at others: [String]) { say("reserve \(number) \(others)") }
    func release(at others: [String], keepsNumber: Bool) {
        say("\(keepsNumber ? "leave" : "release") \(others)")
    }
    func level(_ down: String, with others: [String]) -> [LevelledRegion] {
        say("level \(down) \(others)")
        return others.map { LevelledRegion(region: $0) }
    }
    func drain(_ down: String) async throws(FailoverFailure) -> Int {
        say("drain")
        let isAway = awaysBefore.withLock { left in
            left -= 1
            return left >= 0
        }
        if isAway { throw .unavailable("away") }
        return 0
    }
    func declare(_ down: String, history: UInt64) -> DeclaredCut {
        say("declare \(down) \(history)")
        return DeclaredCut(journals: 1, entries: 1, wasDeclared: false)
    }
    func closeOrphans(of down: String, history: UInt64) -> ClosedOrphans {
        say("close \(down) \(history)")
        return ClosedOrphans(calls: 0, agents: 0, events: 0)
    }
    func serves(history: UInt64) { say("serve \(history)") }
    func verify(_ down: String?) -> FailoverChecks {
        FailoverChecks(objects: 1, drift: 0, openCalls: 0, loggedInAgents: 0, beyondCut: 0)
    }
    func fence(_ down: String) async throws(FailoverFailure) -> HookResult {
        say("fence \(down)")
        guard fences else { throw .failed("status 1") }
        return .succeeded
    }
    func promote(_ down: String) async throws(FailoverFailure) -> HookResult {
        say("promote")
        var changed = look()
        defer { database.withLock { [changed] in $0 = changed } }
        try promotion(&changed)
        return .succeeded
    }
}

@Suite("Failover: the driver does what the machine says")
struct FailoverDriverTests {
    private func run(_ stage: Stage, _ settings: FailoverMachine.Settings) async -> FailoverMachine {
        await Failover(settings, database: stage, region: stage, hooks: stage).run()
    }

    @Test("each step is done once, and one that is away again")
    func steps() async {
        let stage = Stage(aways: 2)
        var settings = FailoverMachineTests.settings()
        settings.pause = .milliseconds(1)
        let machine = await run(stage, settings)
        #expect(machine.outcome == .passed)
        #expect(
            stage.calls == [
                "fence us-east", "drain", "drain", "drain", "promote", "add 2", "declare us-east 2", "close us-east 2",
                "serve 2",
            ])
    }

    @Test("in a third region that can be asked the number is reserved, and journals are levelled, before it promotes")
    func thirdRegion() async {
        let others = [FoundOther(region: "ap-south"), FoundOther(region: "sa-east", unreachable: "no answer")]
        let stage = Stage(others: others)
        #expect(await run(stage, FailoverMachineTests.settings()).outcome == .passed)
        #expect(
            stage.calls.prefix(6) == [
                #"reserve 2 ["ap-south"]"#, "fence us-east", #"level us-east ["ap-south"]"#, "drain",
                #"reserve 2 ["ap-south"]"#, "promote",
            ])
        let unfenced = Stage(fences: false, others: others)
        #expect(await run(unfenced, FailoverMachineTests.settings()).outcome == .failed(.fence, reason: "status 1"))
        #expect(
            unfenced.calls == [#"reserve 2 ["ap-south"]"#, "fence us-east", #"release ["ap-south"]"#])
    }

    @Test("a row whose addition was not answered is found added")
    func lostAnswer() async {
        let stage = Stage(lostAnswers: 1)
        var settings = FailoverMachineTests.settings()
        settings.pause = .milliseconds(1)
        #expect(await run(stage, settings).outcome == .passed)
        #expect(
            stage.calls == [
                "fence us-east", "drain", "promote", "add 2", "add 2", "declare us-east 2", "close us-east 2",
                "serve 2",
            ])
    }

    @Test("a dry run does none of it")
    func dryRun() async {
        let stage = Stage()
        #expect(await run(stage, FailoverMachineTests.settings { $0.isDryRun = true }).outcome == .planned)
        #expect(stage.calls == [])
    }

    @Test("a region that gives a sign of life is given up only if that is confirmed, and handed back to without a word")
    func lives() async {
        let stage = Stage(lives: true)
        #expect(await run(stage, FailoverMachineTests.settings()).outcome == .refused([.regionLives("us-east")]))
        #expect(await run(stage, FailoverMachineTests.settings { $0.isDryRun = true }).outcome == .planned)
        #expect(stage.calls == [])
        let confirmed = await run(stage, FailoverMachineTests.settings { $0.evenIfAlive = true })
        #expect(confirmed.outcome == .passed && confirmed.warnings.count == 1)
        let back = Stage(lives: true, history: Self.replaced)
        let machine = await run(back, FailoverMachineTests.settings { $0.kind = .failback })
        #expect(machine.outcome == .passed && machine.warnings == [])
    }

    @Test("a region that lives is not given up unasked because it has long not told, or never, what it has")
    func livesUnheard() async {
        for heard in [FoundHolding.Heard(age: .seconds(60), voice: 1000, rate: 1), nil] {
            let stage = Stage(lives: true, heard: heard)
            let machine = await run(stage, FailoverMachineTests.settings { $0.acceptedLoss = .any })
            #expect(machine.outcome == .refused([.regionLives("us-east")]))
            #expect(stage.calls == [])
            let dry = await run(
                stage,
                FailoverMachineTests.settings {
                    $0.acceptedLoss = .any
                    $0.isDryRun = true
                })
            let ago = heard == nil ? "" : "60.0 s ago, and again "
            #expect(dry.warnings.first?.hasPrefix("us-east lives: it was heard \(ago)while this was looked at") == true)
        }
    }

    /// `us-east` has taken over from `eu-west`.
    private static let replaced = [
        FoundDatabase.History(number: 2, systemID: "71", timeline: 1, captureRegion: "us-east"),
        FoundDatabase.History(number: 1, systemID: "71", timeline: 1, captureRegion: "eu-west"),
    ]

    @Test("a command that fails because another operator has promoted the server is no failure")
    func promotedMeanwhile() async {
        let stage = Stage { database throws(FailoverFailure) in
            try Stage.works(&database)
            throw .failed("server is not in standby mode")
        }
        let machine = await run(stage, FailoverMachineTests.settings())
        #expect(machine.outcome == .passed)
        #expect(machine.record.first { $0.step == .promote }?.result == .found)
    }

    @Test("a failback that cannot stop the primary takes back what it reserved at the peers")
    func notFenced() async {
        let stage = Stage(fences: false, history: Self.replaced)
        let machine = await run(stage, FailoverMachineTests.settings { $0.kind = .failback })
        #expect(machine.outcome == .failed(.fence, reason: "status 1"))
        #expect(stage.calls == ["rejoin 2", "fence us-east", "unreserve"])
    }

    @Test("a failback that cannot promote leaves what it reserved to the next run")
    func notPromotedBack() async {
        let stage = Stage(history: Self.replaced) { _ throws(FailoverFailure) in throw .failed("status 1") }
        let machine = await run(stage, FailoverMachineTests.settings { $0.kind = .failback })
        #expect(machine.outcome == .failed(.promote, reason: "status 1"))
        #expect(stage.calls == ["rejoin 2", "fence us-east", "drain", "promote", "leave"])
    }

    @Test("a command that fails, and a server that replays still, end it there")
    func notPromoted() async {
        let stage = Stage { _ throws(FailoverFailure) in throw .failed("status 1") }
        #expect(
            await run(stage, FailoverMachineTests.settings()).outcome == .failed(.promote, reason: "status 1"))
        #expect(stage.calls == ["fence us-east", "drain", "promote"])
    }
}
