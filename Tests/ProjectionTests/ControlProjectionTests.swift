import Journal
import Logging
import Observability
import Projection
import RESP
import Testing

private let control = JournalName.control(origin: "us-east").key
private let state = "rs:{101}:projection"

private func trailing(_ field: String, _ redis: PlainRedis) throws -> String? {
    try redis("HGET", "rs:{_}:projection", field).text
}

@Suite("Control journals of other regions", .serialized)
struct ControlProjectionTests {
    private let states = ComponentStates()
    private let metrics = MetricsRegistry()

    private func projection(
        _ redis: PlainRedis, _ store: (any ProjectionStore)?, _ patience: Duration, _ progress: ProvisioningProgress
    ) -> ControlProjection {
        ControlProjection(
            region: "eu-west", peers: ["us-east", "ap-south"], tenants: ["101"], rejoinPatience: patience,
            store: store ?? redis, tail: redis,
            report: ProjectionReport(states: states, metrics: metrics, logger: Logger(label: "test")),
            progress: progress)
    }

    /// Runs the projection until `condition` holds; fails when that takes long.
    private func run(
        _ redis: PlainRedis, through store: (any ProjectionStore)? = nil, patience: Duration = .seconds(3600),
        telling progress: ProvisioningProgress = ProvisioningProgress(),
        until condition: @Sendable @escaping () throws -> Bool
    ) async throws {
        try redis.call(ProjectionFunctions.library.loadCommand)
        let held = try await withThrowingTaskGroup(of: Bool.self) { group in
            let projection = projection(redis, store, patience, progress)
            group.addTask {
                await projection.run()
                return false
            }
            group.addTask {
                let deadline = ContinuousClock.now + .seconds(60)
                while try !condition() {
                    guard ContinuousClock.now < deadline else { return false }
                    try await Task.sleep(for: .milliseconds(5))
                }
                return true
            }
            let held = try await group.next() ?? false
            group.cancelAll()
            return held
        }
        #expect(held)
    }

    private func declaration(_ cuts: [JournalName: JournalCut], history: UInt64 = 2) -> [String] {
        let down = RegionDown(region: "ap-south", history: history, cuts: cuts)
        return ["event", RegionDown.event, "key", "ap-south", "data", down.data]
    }

    @Test("the last probe that is for this region is kept, with the time when it came; others are passed over")
    func heard() async throws {
        try await withRedis { redis in
            let control = JournalName.control(origin: "us-east")
            let probes = [("1-0", "eu-west", 5), ("2-0", "eu-west", 9), ("3-0", "ap-south", 70)]
            for (id, peer, voice) in probes {
                try redis(
                    "XADD", control.key, id, "event", "probe", "key", peer, "voice", "\(voice)", "provisioning", "4")
            }
            try redis("XADD", control.key, "4-0", "whatever", "x")
            try redis("XADD", control.key, "5-0", "event", RegionDown.event, "key", "ap-south", "data", "{")
            try await run(redis) { try redis.hash("rs:{_}:projection")["control:us-east"] == "5-0" }
            let found = try redis.hash("rs:{_}:projection")
            let heard = try #require(found["heard:us-east"].flatMap { RegionHeard($0) })
            #expect(heard.entry == EntryID(first: 2, second: 0))
            #expect(heard.heartbeat == Heartbeat(peer: "eu-west", voice: 9, provisioning: 4))
            #expect(found["heard:ap-south"] == nil && found["down:ap-south"] == nil)
        }
    }

    @Test(
        "what probes say of capture is told, but for those that were there before: they may be of any age",
        arguments: [nil, 2] as [Int?])
    func captured(refused: Int?) async throws {
        try await withRedis { redis in
            // Were it believed, what the other region says would be of a history that is over.
            let old = Position(number: 5 << 52)
            let probe = ["event", "probe", "key", "eu-west", "captured"]
            try redis.call(["XADD", control, "1-0"] + probe + ["\(old)"])
            let progress = ProvisioningProgress()
            // The second command is the look at what is there.
            let store = Killable(redis: redis, budget: nil, refused: refused)
            try await run(redis, through: store, telling: progress) {
                guard try trailing("control:us-east", redis) == "1-0" else { return false }
                try redis.call(["XADD", JournalName.control(origin: "ap-south").key, "*"] + probe + ["100"])
                return progress.captureElsewhere(at: .now)?.region == "ap-south"
            }
        }
    }

    @Test("what a survivor declares of a third region ends that region's journals here, where no cut is yet")
    func declared() async throws {
        try await withRedis { redis in
            let journals = ["101", "102"].map { JournalName.voice(tenant: $0, origin: "ap-south") }
            try redis("SADD", "rs:{_}:tenants", "101", "102")
            try redis("HSET", "rs:{102}:projection", "cut:voice:ap-south", "3-0 3")
            for (journal, count) in zip(journals, [50, 9]) { try redis("HSET", journal.metaKey, "count", "\(count)") }
            let cut = JournalCut(last: EntryID(first: 7, second: 1), count: 42)
            let words = declaration([journals[0]: cut, journals[1]: cut, .provisioning(origin: "ap-south"): cut])
            try redis.call(["XADD", JournalName.control(origin: "us-east").key, "8-0"] + words)
            let states = states
            try await run(redis) { states.state(of: "region ap-south")?.name == "declared-down" }
            #expect(try redis.hash("rs:{101}:projection")["cut:voice:ap-south"] == "7-1 42")
            #expect(try redis.hash("rs:{102}:projection")["cut:voice:ap-south"] == "3-0 3")
            #expect(try redis.hash("rs:{_}:projection")["down:ap-south"] == "2 us-east 8-0")
            // 8 beyond the one cut, 6 beyond the other.
            #expect(metrics.snapshot().number(.projectionWithheld, [.region: "ap-south"]) == 14)
        }
    }

    @Test("what is said of this region itself cuts nothing here")
    func ownDeclaration() async throws {
        try await withRedis { redis in
            try redis("SADD", "rs:{_}:tenants", "101")
            let own = JournalName.voice(tenant: "101", origin: "eu-west")
            let down = RegionDown(
                region: "eu-west", history: 3, cuts: [own: JournalCut(last: EntryID(first: 7, second: 1), count: 4)])
            try redis(
                "XADD", JournalName.control(origin: "us-east").key, "8-0", "event", RegionDown.event, "key", "eu-west",
                "data", down.data)
            try await run(redis) { try redis.hash("rs:{_}:projection")["down:eu-west"] == "3 us-east 8-0" }
            #expect(try redis.hash("rs:{101}:projection") == [:])
            try redis(
                "XADD", JournalName.control(origin: "us-east").key, "9-0", "event", RegionDown.rejoinedEvent, "key",
                "eu-west", "data", "{}")
            try await run(redis) { try redis.hash("rs:{_}:projection")["down:eu-west"] == nil }
        }
    }

    @Test("declared down and rejoined in one read: it has rejoined")
    func rejoinedAtOnce() async throws {
        try await withRedis { redis in
            let control = JournalName.control(origin: "us-east").key
            let down = RegionDown(region: "eu-west", history: 3, cuts: [:])
            try redis("XADD", control, "8-0", "event", RegionDown.event, "key", "eu-west", "data", down.data)
            try redis("XADD", control, "9-0", "event", RegionDown.rejoinedEvent, "key", "eu-west", "data", "{}")
            try await run(redis) { try redis.hash("rs:{_}:projection")["control:us-east"] == "9-0" }
            #expect(try redis.hash("rs:{_}:projection")["down:eu-west"] == nil)
        }
    }

    @Test("what this region is asked to restate is kept until it is answered")
    func asked() async throws {
        try await withRedis { redis in
            let request = RestateRequest(owner: "eu-west", tenants: ["101": EntryID(first: 5, second: 0)])
            try redis(
                "XADD", control, "8-0", "event", RestateRequest.event, "key", "eu-west", "data", request.data)
            try await run(redis) { try trailing("control:us-east", redis) == "8-0" }
            #expect(try trailing("asked:us-east", redis) == #"8-0 {"tenants":{"101":"5-0"}}"#)
        }
    }

    // MARK: What is over

    private func declare(_ id: String, history: UInt64 = 2, cut: String = "7-1 42", _ redis: PlainRedis) throws {
        let end = try #require(JournalCut(cut))
        let cuts = [JournalName.voice(tenant: "101", origin: "ap-south"): end]
        try redis.call(["XADD", control, id] + declaration(cuts, history: history))
    }

    private func rejoin(_ id: String, _ redis: PlainRedis) throws {
        try redis("XADD", control, id, "event", RegionDown.rejoinedEvent, "key", "ap-south", "data", "{}")
    }

    @Test("a third region that was declared down and has rejoined, read at once when both are over: nothing is cut")
    func overAtOnce() async throws {
        try await withRedis { redis in
            try redis("HSET", state, "voice:ap-south", "9-9")
            try declare("8-0", redis)
            try rejoin("9-0", redis)
            try await run(redis) { try trailing("control:us-east", redis) == "9-0" }
            #expect(try redis.hash(state) == ["voice:ap-south": "9-9"])
            #expect(try trailing("down:ap-south", redis) == nil)
        }
    }

    @Test("read one after the other when both are over: the cut goes, and nothing behind the cursor is passed over")
    func overOneByOne() async throws {
        try await withRedis { redis in
            try redis("HSET", state, "voice:ap-south", "9-9")
            try declare("8-0", redis)
            try await run(redis) { try trailing("down:ap-south", redis) == "2 us-east 8-0" }
            #expect(try redis.hash(state) == ["voice:ap-south": "9-9", "cut:voice:ap-south": "7-1 42"])
            try rejoin("9-0", redis)
            try await run(redis, patience: .zero) { try trailing("down:ap-south", redis) == nil }
            #expect(try redis.hash(state) == ["voice:ap-south": "9-9"])
            #expect(try trailing("rejoining:ap-south", redis) == nil)
        }
    }

    @Test("a region that rejoins now has its time to move the cursors behind what it wrote meanwhile")
    func rejoinsItself() async throws {
        try await withRedis { redis in
            try redis("HSET", state, "voice:ap-south", "7-1")
            try declare("8-0", redis)
            try await run(redis) { try trailing("down:ap-south", redis) != nil }
            try rejoin("9-0", redis)
            try await run(redis) { try trailing("rejoining:ap-south", redis)?.hasSuffix(" 2 us-east 8-0") == true }
            #expect(try redis.hash(state) == ["voice:ap-south": "7-1", "cut:voice:ap-south": "7-1 42"])
            try redis("HSET", state, "voice:ap-south", "12-0")
            try redis("HDEL", state, "cut:voice:ap-south")
            try redis("HDEL", "rs:{_}:projection", "down:ap-south")
            try await run(redis) { try trailing("rejoining:ap-south", redis) == nil }
            #expect(try redis.hash(state) == ["voice:ap-south": "12-0"])
        }
    }

    @Test("declared down once more while it has not been seen to yet: the later cut counts")
    func declaredAnew() async throws {
        try await withRedis { redis in
            try declare("8-0", redis)
            try await run(redis) { try trailing("down:ap-south", redis) != nil }
            try rejoin("9-0", redis)
            try await run(redis) { try trailing("rejoining:ap-south", redis) != nil }
            try declare("10-0", history: 4, cut: "9-5 60", redis)
            try await run(redis, patience: .zero) { try trailing("down:ap-south", redis) == "4 us-east 10-0" }
            #expect(try redis.hash(state) == ["cut:voice:ap-south": "9-5 60"])
            #expect(try trailing("rejoining:ap-south", redis) == nil)
        }
    }

    @Test("what is over does not touch a later declaration of this region's own, nor one that another region made")
    func laterDeclaration() async throws {
        for note in ["3 7000-0", "3 af-south 7000-0"] {
            try await withRedis { redis in
                try redis("HSET", "rs:{_}:projection", "down:ap-south", note)
                try redis("HSET", state, "cut:voice:ap-south", "5-0 5")
                try declare("8-0", redis)
                try await run(redis) { try trailing("control:us-east", redis) == "8-0" }
                try rejoin("9-0", redis)
                try await run(redis, patience: .zero) { try trailing("control:us-east", redis) == "9-0" }
                #expect(try trailing("down:ap-south", redis) == note)
                #expect(try trailing("rejoining:ap-south", redis) == nil)
                #expect(try redis.hash(state) == ["cut:voice:ap-south": "5-0 5"])
            }
        }
    }
}
