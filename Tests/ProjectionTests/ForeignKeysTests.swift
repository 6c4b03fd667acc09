import Journal
import Projection
import RESP
import Testing

@Suite("Keys of calls and agents under which somebody keeps something else", .serialized)
struct ForeignKeysTests {
    private let east = JournalName.voice(tenant: "101", origin: "us-east")

    private func add(_ id: String, _ event: String, _ key: String, _ redis: PlainRedis) throws {
        try redis(
            "XADD", east.key, id, "event", event, "key", key, "data",
            #"{"ThisDN":"100","ConnID":"\#(key)","AgentID":"\#(key)"}"#)
    }

    @Test("What is no record counts as none, keeps nothing from being projected, and a record is written in its place")
    func record() async throws {
        try await withRedis { redis in
            try redis("SET", "call:{101}:c1", "x")
            try redis("RPUSH", "agent:{101}:a1", "x")
            try redis("SET", "call:{101}:c2", "x")
            try add("1-1", "EventRinging", "c1", redis)
            try add("1-2", "EventAgentLogin", "a1", redis)
            // Of a call that is not known: there is nothing to write.
            try add("1-3", "EventEstablished", "c2", redis)
            let counts = try await VoiceRun(redis: redis).run().counts
            #expect(counts.replaced == 2 && counts.illegal == 1)
            #expect(try redis.hash("call:{101}:c1")["ConnID"] == "c1")
            #expect(try redis.hash("agent:{101}:a1")["state"] == "1")
            #expect(try redis("GET", "call:{101}:c2").text == "x")
            #expect(try redis.hash("rs:{101}:projection") == ["voice:us-east": "1-3"])
        }
    }

    @Test("A record that was known when somebody overwrote it is refused; the next session finds none")
    func overwritten() async throws {
        try await withRedis { redis in
            try redis.loadFunctions()
            var fold = VoiceFold(region: "us-east", recordTime: .seconds(600))
            try await fold.follow([east], from: redis)
            func project() async throws {
                for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
                try await fold.project(into: redis)
            }
            try add("1-1", "EventAgentLogin", "a1", redis)
            try await project()
            try redis("SET", "agent:{101}:a1", "x")
            try add("1-2", "EventRinging", "c1", redis)
            try add("1-3", "EventAgentReady", "a1", redis)
            let refusal = StoreFailure.server(code: "WRONGTYPE", message: "agent:{101}:a1 is a string, not a hash")
            await #expect(throws: refusal) { try await project() }
            #expect(try redis("EXISTS", "call:{101}:c1") == .integer(0))
            #expect(try redis.hash("rs:{101}:projection") == ["voice:us-east": "1-1"])
            try add("1-4", "EventAgentLogin", "a1", redis)
            #expect(try await VoiceRun(redis: redis).run().counts.replaced == 1)
            #expect(try redis.hash("agent:{101}:a1")["login:us-east"] == "1-4")
            #expect(try redis.members("calls:{101}:active") == ["c1"])
        }
    }

    @Test("A set in the place of which something stands: the step changes nothing, and is made whole when that is gone")
    func wholeOrNot() async throws {
        try await withRedis { redis in
            try add("1-1", "EventRinging", "c1", redis)
            _ = try await VoiceRun(redis: redis).run()
            try redis("SET", "calls:{101}:active", "x")
            try add("1-2", "EventRinging", "c2", redis)
            let refusal = StoreFailure.server(code: "WRONGTYPE", message: "calls:{101}:active is a string, not a set")
            await #expect(throws: refusal) { _ = try await VoiceRun(redis: redis).run() }
            #expect(try redis("EXISTS", "call:{101}:c2") == .integer(0))
            #expect(try redis.hash("rs:{101}:projection") == ["voice:us-east": "1-1"])
            let gone = try redis.call(ProjectionFunctions.reclaim(tenant: "101"))
            #expect(gone.elements.compactMap(\.text) == ["calls:{101}:active was a string"])
            #expect(try redis.call(ProjectionFunctions.reclaim(tenant: "101")) == .array([]))
            _ = try await VoiceRun(redis: redis).run()
            #expect(try redis.members("calls:{101}:active") == ["c2"])
            // One that was in the set comes back into it with whatever happens to it next.
            try add("1-3", "EventEstablished", "c1", redis)
            _ = try await VoiceRun(redis: redis).run()
            #expect(try redis.members("calls:{101}:active") == ["c1", "c2"])
        }
    }
}
