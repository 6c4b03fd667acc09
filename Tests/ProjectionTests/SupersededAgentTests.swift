import Journal
import Projection
import RESP
import Testing
import Traffic
import VoiceEvents

private let east = JournalName.voice(tenant: "101", origin: "us-east")
private let west = JournalName.voice(tenant: "101", origin: "eu-west")

/// A region's Redis in which agent `a` has logged in here and, later, in the other region.
private struct Region {
    let redis: PlainRedis

    func add(_ journal: JournalName, _ id: String, _ event: String, dn: String = "1", agent: String = "a") throws {
        try redis(
            "XADD", journal.key, id, "event", "EventAgent" + event, "key", agent, "data",
            #"{"ThisDN":"\#(dn)","AgentID":"\#(agent)","time":1}"#)
    }

    func logInTwice() throws {
        try add(east, "5-1", "Login")
        try add(west, "7-1", "Login", dn: "2")
    }

    func fold(region: String = "us-east") async throws -> VoiceFold {
        try redis.loadFunctions()
        var fold = VoiceFold(region: region, recordTime: .seconds(600))
        try await fold.follow([east, west], from: redis)
        return fold
    }

    /// Reads what there is and brings it into state.
    func project(_ fold: inout VoiceFold) async throws {
        for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
        try await fold.project(into: redis)
    }

    /// Logouts in a journal, oldest first.
    func logouts(in journal: JournalName = east) throws -> [VoiceEvent] {
        try events(of: journal).map(\.event).filter { $0.name == .agentLogout }
    }

    /// Events in a journal; entries that are none are left out.
    func events(of journal: JournalName) throws -> [(id: EntryID, event: VoiceEvent)] {
        try redis("XRANGE", journal.key, "-", "+").elements.compactMap { entry in
            let words = entry.elements[1].elements.compactMap(\.text)
            let fields = stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }
            guard let id = entry.elements[0].text.flatMap({ EntryID($0) }),
                let event = try? VoiceEvent(fields: fields)
            else { return nil }
            return (id, event)
        }
    }

    func agent(_ id: String = "a") throws -> AgentMachine {
        try AgentMachine(fields: redis.hash("agent:{101}:\(id)").map { ($0.key, $0.value) })
    }
}

@Suite("A session lost to a login elsewhere is ended by its own region", .serialized)
struct SupersededAgentTests {
    private func withRegion(_ body: (Region) async throws -> Void) async throws {
        try await withRedis { try await body(Region(redis: $0)) }
    }

    @Test("The loser appends one Logout to its own journal; nobody else appends any")
    func once() async throws {
        try await withRegion { region in
            try region.logInTwice()
            _ = try await VoiceRun(redis: region.redis, region: "eu-west").run()
            #expect(try region.logouts().isEmpty && region.logouts(in: west).isEmpty)
            #expect(try region.redis.members("rs:{101}:superseded") == [])
            try region.redis("DEL", "rs:{101}:projection", "agent:{101}:a")
            let result = try await VoiceRun(redis: region.redis).run()
            #expect(result.counts.logouts == 1 && result.counts.illegal == 0)
            let logout = try #require(try region.logouts().first)
            #expect(logout.key == "a" && logout.agentID == "a" && logout.thisDN == "1" && logout.time == 5)
            #expect(logout.server == "us-east" && logout.id == "us-east-superseded-5-1-a-1")
            #expect(try region.agent().sessions.map(\.region) == ["eu-west"])
            #expect(try region.redis.hash("agent:{101}:a")["region"] == "eu-west")
            _ = try await VoiceRun(redis: region.redis).run()
            #expect(try region.logouts().count == 1 && region.logouts(in: west).isEmpty)
            #expect(try region.redis("EXISTS", "rs:{101}:superseded") == .integer(0))
        }
    }

    @Test("Killed before any of its commands, the next worker does what is left, once")
    func killed() async throws {
        var kills = 0
        for budget in 0... {
            var wasKilled = false
            try await withRegion { region in
                try region.logInTwice()
                try region.add(east, "5-2", "Login", dn: "3")
                var run = VoiceRun(redis: region.redis)
                run.budget = budget
                run.heldRecords = 0
                wasKilled = try await run.run().wasKilled
                run.budget = nil
                let counts = try await run.run().counts
                #expect(counts.illegal == 0)
                #expect(try region.logouts().compactMap(\.thisDN) == ["1", "3"], "killed before command \(budget)")
                #expect(try region.agent().sessions.map(\.region) == ["eu-west"])
                #expect(try region.redis("EXISTS", "rs:{101}:superseded") == .integer(0))
            }
            guard wasKilled else { break }
            kills += 1
        }
        #expect(kills > 5)
    }

    @Test("Of two workers one appends, also when the other is stale, and whatever became of the session since")
    func twoWorkers() async throws {
        try await withRegion { region in
            try region.logInTwice()
            var stale = try await region.fold()
            try await region.project(&stale)
            var staler = stale
            var other = stale
            _ = try await other.logOut(through: region.redis, at: 5)
            #expect(try region.logouts().count == 1 && other.counts.logouts == 1)
            // Unread still, then projected.
            _ = try await stale.logOut(through: region.redis, at: 5)
            try await region.project(&other)
            _ = try await stale.logOut(through: region.redis, at: 5)
            // On the same DN again: the session looks the same but for its login.
            try region.add(east, "6000000000000-0", "Login")
            try region.add(west, "6000000000001-0", "Login", dn: "4")
            try await region.project(&other)
            _ = try await staler.logOut(through: region.redis, at: 5)
            #expect(try region.logouts().count == 1 && stale.counts.logouts + staler.counts.logouts == 0)
            _ = try await other.logOut(through: region.redis, at: 5)
            #expect(try region.logouts().count == 2 && other.counts.illegal == 0)
        }
    }

    @Test("What stands unread about the agent is projected first; a Logout there makes ours needless")
    func foreignEntries() async throws {
        try await withRegion { region in
            try region.logInTwice()
            var fold = try await region.fold()
            try await region.project(&fold)
            try region.add(east, "8-1", "Logout")
            try region.add(east, "8-2", "Login", agent: "b")
            _ = try await fold.logOut(through: region.redis, at: 5)
            #expect(try region.logouts().count == 1)
            try await region.project(&fold)
            _ = try await fold.logOut(through: region.redis, at: 5)
            #expect(try region.logouts().count == 1 && fold.counts.logouts == 0 && fold.counts.illegal == 0)
            // Entries about others, and entries that are no events, hold nothing up longer than until they are read.
            try region.add(west, "9-1", "Login", dn: "4", agent: "b")
            try await region.project(&fold)
            try region.add(east, "9-1", "Ready", agent: "c")
            _ = try await fold.logOut(through: region.redis, at: 5)
            #expect(try region.logouts().map(\.key) == ["a", "b"])
            try region.add(east, "4000000000000-0", "Login")
            try region.add(west, "4000000000001-0", "Login", dn: "4")
            try await region.project(&fold)
            try region.redis("XADD", east.key, "*", "event", "EventAgentReady", "key", "a", "data", "{")
            _ = try await fold.logOut(through: region.redis, at: 5)
            #expect(try region.logouts().count == 2)
            try await region.project(&fold)
            _ = try await fold.logOut(through: region.redis, at: 5)
            #expect(try region.logouts().map(\.key) == ["a", "b", "a"])
        }
    }

    @Test("Nothing is appended far from the journal's end, to one that is closed, gone or set back; later it is")
    func refused() async throws {
        try await withRegion { region in
            try region.logInTwice()
            var fold = try await region.fold()
            try await region.project(&fold)
            func appended() async throws -> Int {
                let before = try region.logouts().count
                #expect(try await fold.logOut(through: region.redis, at: 5) == nil)
                return try region.logouts().count - before
            }
            for number in 1...65 { try region.add(east, "8-\(number)", "Login", agent: "b\(number)") }
            #expect(try await appended() == 0)
            try await region.project(&fold)
            try region.redis("HSET", east.metaKey, "closed", "yes")
            #expect(try await appended() == 0)
            try region.redis("DEL", east.metaKey)
            try region.redis("RENAME", east.key, "kept")
            #expect(try await appended() == 0)
            try region.redis("XADD", east.key, "7-9", "f", "v")
            #expect(try await appended() == 0)
            try region.redis("RENAME", "kept", east.key)
            #expect(try await appended() == 1)
        }
    }

    @Test("What the server objects to is told, keeps nothing from being projected, and is tried again")
    func objection() async throws {
        try await withRegion { region in
            try region.logInTwice()
            var fold = try await region.fold()
            try await region.project(&fold)
            let top = "18446744073709551615-18446744073709551615"
            try region.redis("XSETID", east.key, top)
            guard case .server("ERR", _) = try await fold.logOut(through: region.redis, at: 5) else {
                Issue.record("no objection")
                return
            }
            try region.add(west, "8-1", "Ready", dn: "2")
            try await region.project(&fold)
            #expect(try region.redis.hash("agent:{101}:a")["state"] == "2")
            try region.redis("XSETID", east.key, "5-1")
            #expect(try await fold.logOut(through: region.redis, at: 5) == nil)
            #expect(try region.logouts().count == 1)
        }
    }

    @Test("A login here after the loss wins again; only the lost session is ended, and then the other region's")
    func loginAgain() async throws {
        try await withRegion { region in
            try region.logInTwice()
            try region.add(east, "8-1", "Login", dn: "3")
            _ = try await VoiceRun(redis: region.redis).run()
            #expect(try region.logouts().compactMap(\.thisDN) == ["1"])
            #expect(try region.agent().current.map(\.dn) == ["3"])
            #expect(try region.agent().loss(of: "eu-west")?.sessions.map(\.dn) == ["2"])
        }
    }

    @Test("Two regions, in any order and killed at any command: each lost session ends once", arguments: 1...8)
    func twoRegions(seed: UInt64) async throws {
        try await withRegion { eastern in
            try await withRegion { western in
                var pair = RegionPair(east: eastern, west: western, random: SplitMix64(seed: seed))
                for _ in 0..<150 { try await pair.step() }
                try await pair.settle()
                try pair.check(seed)
                #expect(pair.kills > 5, "seed \(seed)")
            }
        }
    }
}

/// Two regions whose agents log in here and there, with a mirror between them, driven step by step.
private struct RegionPair {
    let east: Region
    let west: Region
    var random: SplitMix64
    var kills = 0
    private var clock: UInt64 = 4_000_000_000_000

    private static let eastern = JournalName.voice(tenant: "101", origin: "us-east")
    private static let western = JournalName.voice(tenant: "101", origin: "eu-west")

    init(east: Region, west: Region, random: SplitMix64) {
        self.east = east
        self.west = west
        self.random = random
    }

    mutating func step() async throws {
        let isEast = Bool.random(using: &random)
        let (region, journal) = isEast ? (east, Self.eastern) : (west, Self.western)
        switch Int.random(in: 0..<8, using: &random) {
        case 0...3:
            clock += UInt64.random(in: 1...3, using: &random)
            let event = ["Login", "Login", "Login", "Ready", "NotReady", "Logout"].randomElement(using: &random) ?? ""
            try region.add(
                journal, "\(clock)-\(Int.random(in: 0...1, using: &random))", event,
                dn: "\(Int.random(in: 1...2, using: &random))", agent: "a\(Int.random(in: 1...3, using: &random))")
        case 4, 5: try mirror(fromEast: isEast)
        default:
            var run = VoiceRun(redis: region.redis, region: journal.origin)
            run.heldRecords = Bool.random(using: &random) ? 0 : 100
            run.budget = Int.random(in: 0...12, using: &random)
            if try await run.run().wasKilled { kills += 1 }
        }
    }

    /// Until nothing moves any more.
    mutating func settle() async throws {
        for _ in 0..<10 {
            for isEast in [true, false] { try mirror(fromEast: isEast) }
            for (region, name) in [(east, "us-east"), (west, "eu-west")] {
                _ = try await VoiceRun(redis: region.redis, region: name).run()
            }
        }
    }

    /// Copies what the other region lacks.
    private func mirror(fromEast: Bool) throws {
        let (source, target) = fromEast ? (east.redis, west.redis) : (west.redis, east.redis)
        let key = (fromEast ? Self.eastern : Self.western).key
        let last = try target("XREVRANGE", key, "+", "-", "COUNT", "1").elements.first?.elements[0].text ?? "0-0"
        for entry in try source("XRANGE", key, "(" + last, "+").elements {
            let words = entry.elements[1].elements.compactMap(\.text)
            try target.call(["XADD", key, entry.elements[0].text ?? ""] + words)
        }
    }

    func check(_ seed: UInt64) throws {
        #expect(try VoiceImage(east.redis).differences(from: VoiceImage(west.redis)) == [], "seed \(seed)")
        var ended = 0
        for (region, journal) in [(east, Self.eastern), (west, Self.western)] {
            var agents: [String: AgentMachine] = [:]
            for (id, event) in try region.events(of: journal) {
                var agent = agents[event.key] ?? AgentMachine(agentID: event.key)
                let isLegal = agent.eventRead(event, at: id, from: journal.origin).isLegal
                agents[event.key] = agent
                guard let name = event.id else { continue }
                #expect(name.hasPrefix("\(journal.origin)-superseded-") && isLegal, "seed \(seed): \(name)")
                ended += 1
            }
        }
        #expect(ended > 3, "seed \(seed)")
        for id in ["a1", "a2", "a3"] {
            let agent = try east.agent(id)
            #expect(agent.loss(of: "us-east") == nil && agent.loss(of: "eu-west") == nil, "seed \(seed)")
        }
    }
}
