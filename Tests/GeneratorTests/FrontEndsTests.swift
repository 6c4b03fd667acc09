import Generator
import Journal
import NIOCore
import NIOPosix
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing
import VoiceEvents

@Suite("The stand-in front end on a real Redis") struct FrontEndsTests {
    private static let requests = JournalName(.requests, tenant: "101", origin: "us-east")
    private static let voice = JournalName.voice(tenant: "101", origin: "us-east")

    /// A Redis and the region that has it.
    private struct Scene {
        let region: Region
        let redis: RedisConnection

        func begin() async throws {
            _ = try await redis.send(RedisCommand("SADD", tenantsKey, "101"))
        }

        /// Puts a request on the journal, as the voice port does.
        func ask(_ kind: CallRequest.Kind, _ dn: String, reference: Int, _ change: (inout CallRequest) -> Void)
            async throws
        {
            var request = CallRequest(kind, at: dn)
            change(&request)
            _ = try await redis.send(
                RedisCommand(
                    "XADD", FrontEndsTests.requests.key, "*", "request", kind.rawValue, "reference", "\(reference)",
                    "key", request.key, "data", request.data))
        }

        /// Names of all events, each with its request's reference.
        func events() async throws -> [String] {
            let entries = try await redis.send(RedisCommand("XRANGE", FrontEndsTests.voice.key, "-", "+"))
            return try entries.elements.map { entry in
                let words = entry[1]?.elements.map { $0.string ?? "" } ?? []
                let fields = stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }
                let event = try VoiceEvent(fields: fields)
                return "\(event.name.text) \(event.referenceID ?? 0)"
            }
        }

        /// Does what the worker does: keeps records of the calls and agents of the journal, and trims that.
        func recordAndTrim() async throws {
            let entries = try await redis.send(RedisCommand("XRANGE", FrontEndsTests.voice.key, "-", "+"))
            var calls: [String: CallMachine] = [:]
            var agents: [String: AgentMachine] = [:]
            var last = EntryID.zero
            for entry in entries.elements {
                last = try #require(entry[0]?.string.flatMap { EntryID($0) })
                let words = entry[1]?.elements.map { $0.string ?? "" } ?? []
                let fields = stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }
                let event = try VoiceEvent(fields: fields)
                switch event.subject {
                case .call(let connID):
                    var call = calls[connID] ?? CallMachine(connID: connID, region: "us-east")
                    _ = call.eventRead(event, at: last, from: "us-east")
                    calls[connID] = call
                case .agent(let agentID):
                    var agent = agents[agentID] ?? AgentMachine(agentID: agentID)
                    _ = agent.eventRead(event, at: last, from: "us-east")
                    agents[agentID] = agent
                case .none: break
                }
            }
            var commands: [RedisCommand] = []
            for (connID, call) in calls {
                let words = call.fields.flatMap { [$0.0, $0.1] }
                commands.append(RedisCommand(words: ["HSET", "call:{101}:\(connID)"] + words, runs: []))
                commands.append(RedisCommand("SADD", "calls:{101}:active", connID))
            }
            for (agentID, agent) in agents {
                let words = agent.fields.flatMap { [$0.0, $0.1] }
                commands.append(RedisCommand(words: ["HSET", "agent:{101}:\(agentID)"] + words, runs: []))
            }
            commands.append(RedisCommand("HSET", "rs:{101}:projection", "voice:us-east", last.description))
            commands.append(RedisCommand("XTRIM", FrontEndsTests.voice.key, "MAXLEN", "0"))
            for answer in await redis.pipeline(commands) { _ = try answer.get() }
        }

        func call() async throws -> String {
            let entries = try await redis.send(RedisCommand("XRANGE", FrontEndsTests.voice.key, "-", "+", "COUNT", "1"))
            return entries[0]?[1]?[3]?.string ?? ""
        }

        /// Runs a front end for the length of `body`, then stops it.
        func withFrontEnd(_ body: () async throws -> Void) async throws {
            let frontEnds = FrontEnds(of: [region], say: { _ in })
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await frontEnds.run() }
                defer { frontEnds.stop() }
                try await body()
            }
        }

        func until(_ events: [String]) async throws {
            let deadline = ContinuousClock.now + .seconds(60)
            while ContinuousClock.now < deadline, try await self.events() != events {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try await self.events() == events)
            let pending = try await redis.send(RedisCommand("XPENDING", FrontEndsTests.requests.key, "front-end"))
            #expect(pending[0]?.integer == 0)
        }
    }

    private func withScene(_ body: (Scene) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let shipped = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/regions"
            let region = try RegionFile.load(
                "\(shipped)/us-east.yaml", environment: ["REGIONSYNC_REDIS_PORT": "\(server.port)"])
            let connection = try await RedisConnection.connect(
                to: RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(30)), name: "test",
                on: MultiThreadedEventLoopGroup.singleton.next())
            let scene = Scene(region: region, redis: connection)
            try await scene.begin()
            try await body(scene)
            await connection.close()
        }
    }

    private static let made = ["EventDialing 1", "EventRinging 1"]
    private static let answered = made + ["EventEstablished 2", "EventEstablished 2"]

    @Test("what one read and did not answer, killed in between, the next one answers once, and knows the call")
    func answersWhatWasLeft() async throws {
        try await withScene { scene in
            try await scene.ask(.make, "1001", reference: 1) { $0.otherDN = "1002" }
            let key = Self.requests.key
            _ = try await scene.redis.send(RedisCommand("XGROUP", "CREATE", key, "front-end", "0"))
            let read = try await scene.redis.send(
                RedisCommand("XREADGROUP", "GROUP", "front-end", "front-end", "STREAMS", key, ">"))
            #expect(read.count == 1)
            try await scene.withFrontEnd { try await scene.until(Self.made) }
            let call = try await scene.call()
            try await scene.withFrontEnd {
                try await scene.ask(.answer, "1002", reference: 2) { $0.connID = call }
                try await scene.until(Self.answered)
            }
        }
    }

    @Test("calls and agents of which the journal keeps nothing any more are known from their records")
    func outlastsJournal() async throws {
        try await withScene { scene in
            try await scene.withFrontEnd {
                try await scene.ask(.login, "1003", reference: 3) { $0.agentID = "A1" }
                try await scene.until(["EventAgentLogin 3"])
            }
            try await scene.recordAndTrim()
            var call = ""
            try await scene.withFrontEnd {
                try await scene.ask(.make, "1001", reference: 1) { $0.otherDN = "1002" }
                try await scene.until(Self.made)
                call = try await scene.call()
                try await scene.ask(.answer, "1002", reference: 2) { $0.connID = call }
                try await scene.until(Self.answered)
            }
            try await scene.recordAndTrim()
            // A record that is none keeps nobody from the others.
            _ = try await scene.redis.send(RedisCommand("SET", "agent:{101}:A2", "none"))
            try await scene.withFrontEnd {
                try await scene.ask(.release, "1001", reference: 4) { $0.connID = call }
                try await scene.ask(.ready, "1003", reference: 5) { $0.agentID = "A1" }
                try await scene.until(["EventReleased 4", "EventReleased 4", "EventAgentReady 5"])
            }
        }
    }

    @Test("what is no request is passed over; after a flush it begins anew")
    func survives() async throws {
        try await withScene { scene in
            try await scene.withFrontEnd {
                for words in [["what", "ever"], ["request", "CALL.MAKE", "reference", "1", "data", "{"]] {
                    _ = try await scene.redis.send(
                        RedisCommand(words: ["XADD", Self.requests.key, "*"] + words, runs: []))
                }
                try await scene.ask(.make, "1001", reference: 1) { $0.otherDN = "1002" }
                try await scene.until(Self.made)
                _ = try await scene.redis.send(RedisCommand("FLUSHALL"))
                try await scene.begin()
                try await scene.ask(.make, "1001", reference: 1) { $0.otherDN = "1002" }
                try await scene.until(Self.made)
            }
        }
    }

    @Test("it does as its own model says also where somebody else has written the events")
    func readsOthers() async throws {
        try await withScene { scene in
            try await scene.withFrontEnd {
                for data in [
                    #"{"ThisDN":"1001","ConnID":"c1","CallType":2}"#, #"{"ThisDN":"1001","ConnID":"c1"}"#,
                ].enumerated() {
                    let name: EventName = data.offset == 0 ? .ringing : .established
                    _ = try await scene.redis.send(
                        RedisCommand(
                            "XADD", Self.voice.key, "*", "event", name.text, "key", "c1", "data", data.element))
                }
                try await scene.ask(.hold, "1001", reference: 7) { $0.connID = "c1" }
                try await scene.until(["EventRinging 0", "EventEstablished 0", "EventHeld 7"])
            }
        }
    }
}
