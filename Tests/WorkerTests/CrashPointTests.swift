import CrashPoints
import Journal
import PostgresClient
import Projection
import Provisioning
import RESP
import RedisClient
import Testing
import Traffic

/// Kills a worker at each step between input and output, under load, and compares what is left with what was produced.
@Suite("A worker killed at each of its steps", .serialized)
struct CrashPointTests {
    /// Steps that a worker takes a few times at its start, or now and then.
    private static let rare: [CrashPoint] = [.mirrorAligned, .captureConfirmed, .trimmed]

    @Test("in its first start, under load: the next one brings everything, once")
    func firstStart() async throws {
        try await WorkerRegion.with { region in
            for (number, point) in CrashScene.firstStart.points.enumerated() {
                try await region.forgetEverything()
                try await region.sql("INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'of \(number)')")
                try await region.dies(at: point, underLoad: "\(number) ")
            }
        }
    }

    @Test("while it looks for what it missed, under load: the next one finds it, and what PostgreSQL lost goes")
    func resnapshot() async throws {
        try await WorkerRegion.with { region in
            try await region.whileWorking { try await region.flows("first") }
            let others: [CrashPoint] = [.snapshotAnnounced, .slotCreated, .snapshotCopied, .snapshotEnded]
            for (number, point) in (CrashScene.resnapshot.points + others).enumerated() {
                try await region.whileWorking {
                    try await region.sql(
                        "INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'doomed \(number)')")
                    try await region.flows("before \(number)")
                }
                try await region.dropSlots()
                for statement in [
                    "DELETE FROM provisioning.skill WHERE name = 'doomed \(number)'",
                    "INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'missed \(number)')",
                ] { try await region.sql(statement) }
                try await region.dies(at: point, underLoad: "\(number) ")
                let names = RedisCommand(
                    "HMGET", "cfg:{101}:skill:by:name", "missed \(number)", "doomed \(number)")
                let held = try await region.east.send(names).elements.map { $0.string != nil }
                #expect(held == [true, false])
            }
        }
    }

    @Test("under load, early and late: nothing is lost, nothing comes twice, order is kept", arguments: [1, 2])
    func underLoad(seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        var points = CrashScene.load.points
        points.shuffle(using: &random)
        let ledger = Ledger()
        try await WorkerRegion.with { region in
            // Journals are trimmed as soon as the peer has them; the peer has no worker and keeps all.
            let region = region.with(["REGIONSYNC_RETENTION_MINIMUM": "1s"])
            try await region.whileWorking { try await region.flows("before") }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    try await region.load { ledger.add($0) }
                }
                for point in points {
                    let times = Self.rare.contains(point) ? 1 : Int.random(in: 1...8, using: &random)
                    try await region.dies(at: point, times: times)
                }
                tasks.cancelAll()
                try await tasks.waitForAll()
            }
            try await region.whileWorking {
                try await region.flows("behind")
                try await region.expectCopied(ledger.all, atLeast: 1000)
                try await region.expectInStep(trimmed: true)
            }
        }
    }

    @Test("while it puts its cache right: the next one does")
    func repair() async throws {
        try await WorkerRegion.with { region in
            let region = region.with([
                "REGIONSYNC_VERIFICATION_DELAY": "0s", "REGIONSYNC_VERIFICATION_INTERVAL": "10s",
            ])
            try await region.whileWorking { try await region.flows("right") }
            let id = try #require(
                try await region.east.send(RedisCommand("HGET", "cfg:{101}:skill:by:name", "right")).string)
            for point in CrashScene.repair.points {
                try await region.harmCache(at: point, id: id)
                // One that may not mend gives its watches back.
                let mends = point == .repairReleased ? "false" : "true"
                try await region.with(["REGIONSYNC_VERIFICATION_REPAIR": mends]).dies(at: point)
            }
            try await region.whileWorking {
                try await region.until("it is right again") {
                    let name = try await region.east.send(RedisCommand("HGET", "cfg:{101}:skill:\(id)", "name"))
                    let ids = try await region.east.send(RedisCommand("SISMEMBER", "cfg:{101}:skill", id))
                    let stale = try await region.east.send(
                        RedisCommand("HEXISTS", ProjectionKeys.trailing, Staleness.field))
                    return name.string == "right" && ids.integer == 1 && stale.integer == 0
                }
                try await region.expectInStep()
            }
        }
    }

    @Test("when it has put an object into quarantine: the next one finds it there, and mends it")
    func quarantine() async throws {
        try await WorkerRegion.with { region in
            for point in CrashScene.quarantine.points {
                let (old, new) = ("old of \(point.rawValue)", "new of \(point.rawValue)")
                try await region.whileWorking {
                    // A description that an UPDATE of another column leaves where it is, and out of what is captured.
                    try await region.sql(
                        """
                        INSERT INTO provisioning.role (tenant_dbid, name, description) SELECT 101, '\(old)',
                        string_agg(md5(number::text), '') FROM generate_series(1, 1000) AS number
                        """)
                    try await region.until("it is cached") { try await region.role(old) != nil }
                }
                let id = try #require(try await region.role(old))
                _ = try await region.east.send(RedisCommand("DEL", "cfg:{101}:role:\(id)"))
                try await region.sql("UPDATE provisioning.role SET name = '\(new)' WHERE name = '\(old)'")
                try await region.dies(at: point)
                let held = try await region.east.send(RedisCommand("SMEMBERS", "rs:{101}:quarantine"))
                #expect(held.elements.map(\.string) == ["role:\(id)"])
                try await region.with(["REGIONSYNC_VERIFICATION_DELAY": "0s"]).whileWorking {
                    try await region.until("it is mended") {
                        let length = try await region.east.send(
                            RedisCommand("HSTRLEN", "cfg:{101}:role:\(id)", "description"))
                        return try await region.role(new) == id && length.integer == 32_000
                    }
                    try await region.flows("after \(point.rawValue)")
                    try await region.expectInStep()
                }
            }
        }
    }

    @Test("while it logs out agents who have logged in elsewhere: each is logged out once")
    func logout() async throws {
        try await WorkerRegion.with { region in
            for point in CrashScene.logout.points {
                let agent = "of \(point.rawValue)"
                try await region.logIn(agent, of: WorkerRegion.voice)
                try await Task.sleep(for: .milliseconds(2))  // IDs of two streams tell milliseconds apart
                try await region.logIn(agent, of: .voice(tenant: "101", origin: "eu-west"))
                try await region.dies(at: point)
                try await region.whileWorking {
                    try await region.until("\(agent) is logged out") {
                        let record = try await region.east.send(RedisCommand("HGETALL", "agent:{101}:\(agent)"))
                        return record.elements.count { $0.string?.hasPrefix("session:") == true } == 1
                    }
                    try await region.flows("after \(agent)")
                    try await region.expectInStep()
                }
                for client in [region.east, region.west] {
                    #expect(try await region.logouts(of: agent, on: client) == 1)
                }
            }
        }
    }
}

extension WorkerRegion {
    /// PostgreSQL and both Redis are as if no worker had ever run; publications are a worker's to make.
    fileprivate func forgetEverything() async throws {
        try await dropSlots()
        for statement in ["DELETE FROM regionsync.history", "DROP PUBLICATION IF EXISTS regionsync"] {
            try await sql(statement)
        }
        for client in [east, west] { _ = try await client.send(RedisCommand("FLUSHALL")) }
    }

    /// PostgreSQL forgets every slot. It says that a worker streams until it has noticed that there is none any more.
    fileprivate func dropSlots() async throws {
        try await until("nobody streams") {
            try await sql("SELECT FROM pg_replication_slots WHERE active").isEmpty
        }
        try await sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    }

    /// A worker dies at the step, the next one brings all that goes on, and what was written all the while is at the peer.
    fileprivate func dies(at point: CrashPoint, underLoad label: String) async throws {
        let ledger = Ledger()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                try await load(label) { ledger.add($0) }
            }
            try await dies(at: point)
            try await whileWorking { try await flows("\(label)after \(point.rawValue)") }
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
        try await whileWorking {
            try await flows("\(label)behind \(point.rawValue)")
            try await expectCopied(ledger.all, atLeast: 100)
            try await expectInStep()
        }
    }

    /// Does to the cache what a repair has to come to this step for; `id` is a skill's.
    fileprivate func harmCache(at point: CrashPoint, id: String) async throws {
        let digest = RedisCommand(
            "HINCRBY", "rs:{101}:digest:skill", "\(Bucket.index(ofKey: id.utf8)):d", "1")
        let harm: [RedisCommand]
        switch point {
        case .repairRecounted: harm = [digest]
        case .repairReplaced, .repairRebuilt:
            harm = [RedisCommand("DEL", "cfg:{101}:skill"), RedisCommand("SET", "cfg:{101}:skill", "else")]
        case .repairNotedFresh:
            let question = RedisCommand("HGET", ProjectionKeys.trailing, "provisioning")
            let cursor = try #require(try await east.send(question).string)
            harm = [RedisCommand("HSET", ProjectionKeys.trailing, Staleness.field, "unverified:\(cursor)")]
        default: harm = [RedisCommand("HSET", "cfg:{101}:skill:\(id)", "name", "wrong", "_d", "5"), digest]
        }
        for result in await east.pipeline(harm) { _ = try result.get() }
    }

    /// The ID under which the cache's index has a role.
    fileprivate func role(_ name: String) async throws -> String? {
        try await east.send(RedisCommand("HGET", "cfg:{101}:role:by:name", name)).string
    }

    /// An agent's login as it is in the Redis of us-east.
    fileprivate func logIn(_ agent: String, of journal: JournalName) async throws {
        let data = #"{"AgentID":"\#(agent)","ThisDN":"\#(journal.origin)"}"#
        _ = try await east.send(
            RedisCommand("XADD", journal.key, "*", "event", "EventAgentLogin", "key", agent, "data", data))
    }

    /// How many Logouts of the agent are in the voice journal of us-east.
    fileprivate func logouts(of agent: String, on client: RedisConnection) async throws -> Int {
        try await client.send(RedisCommand("XRANGE", Self.voice.key, "-", "+")).elements.count { entry in
            let words = entry[1]?.elements.map { $0.string ?? "" } ?? []
            return words.count == 6 && words[1] == "EventAgentLogout" && words[3] == agent
        }
    }
}
