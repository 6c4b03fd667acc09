import Journal
import Projection
import RESP
import Testing
import Traffic

@Suite("Voice journals become calls and agents", .serialized)
struct VoiceProjectionTests {
    private let east = JournalName.voice(tenant: "101", origin: "us-east")
    private let west = JournalName.voice(tenant: "101", origin: "eu-west")

    private func add(
        _ journal: JournalName, _ id: String, _ event: String, _ key: String, _ data: String, _ redis: PlainRedis
    )
        throws
    {
        try redis("XADD", journal.key, id, "event", event, "key", key, "data", data)
    }

    @Test("A call rings, is answered and ends; its record stays for its time, the active set loses it")
    func call() async throws {
        try await withRedis { redis in
            try add(east, "1-1", "EventRinging", "c1", #"{"ThisDN":"100","ConnID":"c1","CallType":2,"time":5}"#, redis)
            try add(east, "1-2", "EventEstablished", "c1", #"{"ThisDN":"100","ConnID":"c1"}"#, redis)
            _ = try await VoiceRun(redis: redis).run()
            #expect(try redis.members("calls:{101}:active") == ["c1"])
            #expect(try redis.hash("call:{101}:c1")["party:100"]?.hasPrefix("12 ") == true)
            #expect(try redis.hash("rs:{101}:projection") == ["voice:us-east": "1-2"])
            #expect(try redis("TTL", "call:{101}:c1") == .integer(-1))
            try add(east, "1-3", "EventReleased", "c1", #"{"ThisDN":"100","ConnID":"c1","time":9}"#, redis)
            _ = try await VoiceRun(redis: redis).run()
            #expect(try redis.members("calls:{101}:active") == [])
            #expect(try redis.hash("call:{101}:c1")["endedAt"] == "9")
            guard case .integer(let time) = try redis("TTL", "call:{101}:c1") else { return }
            #expect((1...600).contains(time))
        }
    }

    @Test("What no transition allows and what is no event change no state, are counted, and stop nothing")
    func illegal() async throws {
        try await withRedis { redis in
            try add(east, "1-1", "EventHeld", "c1", #"{"ThisDN":"100","ConnID":"c1"}"#, redis)
            try redis("XADD", east.key, "1-2", "whatever", "x")
            try add(east, "1-3", "EventRinging", "c2", "{", redis)
            try add(east, "1-4", "EventRinging", "c2", #"{"ThisDN":"100","ConnID":"c2"}"#, redis)
            let counts = try await VoiceRun(redis: redis).run().counts
            #expect(counts.illegal == 1)
            #expect(counts.unreadable == 2)
            #expect(try redis("EXISTS", "call:{101}:c1") == .integer(0))
            #expect(try redis.members("calls:{101}:active") == ["c2"])
            #expect(try redis.hash("rs:{101}:projection") == ["voice:us-east": "1-4"])
        }
    }

    @Test("A region declared down is projected to the cut, exactly; others go on, and so does it once it has rejoined")
    func cut() async throws {
        try await withRedis { redis in
            for number in 1...4 {
                try add(
                    east, "1-\(number)", "EventRinging", "c\(number)",
                    #"{"ThisDN":"100","ConnID":"c\#(number)"}"#, redis)
            }
            try redis("HSET", "rs:{101}:projection", "cut:voice:us-east", "1-2 2")
            _ = try await VoiceRun(redis: redis).run()
            #expect(try redis.members("calls:{101}:active") == ["c1", "c2"])
            try add(east, "1-5", "EventRinging", "c5", #"{"ThisDN":"100","ConnID":"c5"}"#, redis)
            try add(west, "1-5", "EventRinging", "c6", #"{"ThisDN":"200","ConnID":"c6"}"#, redis)
            _ = try await VoiceRun(redis: redis).run()
            #expect(try redis.members("calls:{101}:active") == ["c1", "c2", "c6"])
            #expect(try redis.hash("rs:{101}:projection")["voice:us-east"] == "1-2")
            try redis("HDEL", "rs:{101}:projection", "cut:voice:us-east")
            _ = try await VoiceRun(redis: redis).run()
            #expect(try redis.members("calls:{101}:active") == ["c1", "c2", "c3", "c4", "c5", "c6"])
        }
    }

    @Test("A fold that has come to a cut goes on, in the same session, behind where the region has rejoined")
    func rejoins() async throws {
        try await withRedis { redis in
            try redis.call(ProjectionFunctions.library.loadCommand)
            try redis("HSET", "rs:{101}:projection", "cut:voice:us-east", "1-1 1")
            for number in 1...3 {
                try add(
                    east, "1-\(number)", "EventRinging", "c\(number)",
                    #"{"ThisDN":"100","ConnID":"c\#(number)"}"#, redis)
            }
            var fold = VoiceFold(region: "us-east", recordTime: .seconds(600))
            try await fold.follow([east, west], from: redis)
            func project() async throws {
                for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
                try await fold.project(into: redis)
            }
            try await project()
            #expect(fold.ended == [east])
            #expect(fold.wanted.map(\.journal) == [west])
            try await fold.follow(fold.ended, from: redis)
            #expect(fold.ended == [east])
            // What it wrote meanwhile, 1-2 and 1-3, stays out.
            try redis("HSET", "rs:{101}:projection", "voice:us-east", "1-3")
            try redis("HDEL", "rs:{101}:projection", "cut:voice:us-east")
            try await fold.follow(fold.ended, from: redis)
            #expect(fold.ended == [])
            try add(east, "1-4", "EventRinging", "c4", #"{"ThisDN":"100","ConnID":"c4"}"#, redis)
            try await project()
            #expect(try redis.members("calls:{101}:active") == ["c1", "c4"])
        }
    }

    @Test("A session that does not know of a cut is refused beyond it, and changes nothing", arguments: ["1-1", "0-0"])
    func unknownCut(cut: String) async throws {
        try await withRedis { redis in
            try redis.call(ProjectionFunctions.library.loadCommand)
            var fold = VoiceFold(region: "us-east", recordTime: .seconds(600))
            try await fold.follow([east], from: redis)
            for number in 1...2 {
                try add(
                    east, "1-\(number)", "EventRinging", "c\(number)",
                    #"{"ThisDN":"100","ConnID":"c\#(number)"}"#, redis)
            }
            for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
            try redis("HSET", "rs:{101}:projection", "cut:voice:us-east", "\(cut) 1")
            await #expect(throws: StoreFailure.server(code: "CUT", message: "\(cut) 1")) {
                try await fold.project(into: redis)
            }
            #expect(try redis.members("calls:{101}:active") == [])
            // The next session knows.
            _ = try await VoiceRun(redis: redis).run()
            #expect(try redis.members("calls:{101}:active") == (cut == "0-0" ? [] : ["c1"]))
        }
    }

    @Test("The login with the higher entry ID wins, whichever journal is read first")
    func agentInTwoRegions() async throws {
        for order in [[0, 1], [1, 0]] {
            try await withRedis { redis in
                for which in order {
                    let journal = [east, west][which]
                    try add(
                        journal, ["5-1", "7-1"][which], "EventAgentLogin", "a1",
                        #"{"ThisDN":"\#(100 + which)","AgentID":"a1","WorkMode":2}"#, redis)
                    _ = try await VoiceRun(redis: redis).run()
                }
                #expect(try redis.hash("agent:{101}:a1")["region"] == "eu-west")
            }
        }
    }

    @Test(
        "What was set on a DN of an agent who never logged in is taken back, and leaves nothing",
        arguments: [
            ("DNDOn", "DNDOff"), ("ForwardSet", "ForwardCancel"), ("DNOutOfService", "DNBackInService"),
        ])
    func featureTakenBack(set: String, takenBack: String) async throws {
        try await withRedis { redis in
            try redis.loadFunctions()
            let isThere = { try redis("HEXISTS", "agent:{101}:a1", "session:us-east:100") == .integer(1) }
            let data = #"{"ThisDN":"100","AgentID":"a1"}"#
            try add(east, "1-1", "Event" + set, "a1", data, redis)
            _ = try await VoiceRun(redis: redis).run()
            #expect(try isThere())
            try add(east, "1-2", "Event" + takenBack, "a1", data, redis)
            _ = try await VoiceRun(redis: redis).run()
            #expect(try redis("EXISTS", "agent:{101}:a1") == .integer(0))
            // The same by one that keeps what it knows.
            var fold = VoiceFold(region: "us-east", recordTime: .seconds(600))
            try await fold.follow([east], from: redis)
            for (number, event) in [set, takenBack, set].enumerated() {
                try add(east, "2-\(number)", "Event" + event, "a1", data, redis)
                for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
                try await fold.project(into: redis)
                #expect(try isThere() == (event == set))
            }
            #expect(try redis.hash("agent:{101}:a1")["AgentID"] == "a1" && fold.counts.illegal == 0)
        }
    }

    @Test(
        "Killed between any two commands, and restarted in between, it ends as if never interrupted", arguments: 1...6)
    func killed(seed: UInt64) async throws {
        try await withRedis { redis in
            var random = SplitMix64(seed: seed)
            var traffic = VoiceTraffic(random: SplitMix64(seed: seed &+ 1000))
            var kills = 0
            for _ in 0..<12 {
                for _ in 0..<25 {
                    let (journal, id, event, key, data) = traffic.next()
                    try add(journal, id, event, key, data, redis)
                }
                for attempt in 0... {
                    var run = VoiceRun(redis: redis)
                    run.heldRecords = Bool.random(using: &random) ? 0 : 100
                    run.budget = Int.random(in: 0...(2 + attempt * 3), using: &random)
                    if try await !run.run().wasKilled { break }
                    kills += 1
                }
            }
            let interrupted = try VoiceImage(redis)
            for key in try redis("KEYS", "*").elements.compactMap(\.text) where !key.contains(":voice:") {
                try redis("DEL", key)
            }
            let counts = try await VoiceRun(redis: redis).run().counts
            let differences = try VoiceImage(redis).differences(from: interrupted)
            #expect(differences == [], "seed \(seed)")
            #expect(counts.events > 200 && counts.illegal > 0 && kills > 0)
            #expect(counts.logouts == 0, "seed \(seed): appended once, they are there when all is projected anew")
            #expect(interrupted.hashes.count > 20)
        }
    }
}
