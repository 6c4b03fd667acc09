import Generator
import Journal
import Logging
import NIOCore
import NIOPosix
import Observability
import Projection
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing
import VoiceEvents

@testable import VoiceListener
@testable import Worker

@Suite("Call control through the voice port, a front end and the projection") struct CallControlTests {
    /// A port beside a stand-in front end and the projection, both of tenant 101.
    private struct Floor: Sendable {
        let port: WritingPort
        let client: RedisConnection

        /// Asks for something; gives the reference.
        func ask(_ words: String...) async throws -> Int64 {
            let answer = try await client.say(words: words)
            return try #require(Int64(answer), "\(words): \(answer)")
        }

        /// The record that a command answers.
        func record(_ words: String...) async throws -> [String: String] {
            let answer = try await client.send(RedisCommand(words: words, runs: []))
            let parts = answer.elements.map { $0.string ?? "" }
            let pairs = stride(from: 0, to: parts.count - 1, by: 2).map { (parts[$0], parts[$0 + 1]) }
            return Dictionary(uniqueKeysWithValues: pairs)
        }

        /// The only call of a DN.
        func call(of dn: String) async throws -> String {
            try await port.until("a call of \(dn)") { try await calls("DN", dn).count == 1 }
            return try #require(try await calls("DN", dn).first)
        }

        func calls(_ words: String...) async throws -> [String] {
            let answer = try await client.send(RedisCommand(words: ["CALL.LIST", "101"] + words, runs: []))
            return answer.elements.compactMap(\.string)
        }

        /// Waits until the parties of a call are in these states, and there is none besides.
        func until(_ call: String, _ parties: [String: PartyState]) async throws {
            try await port.until("\(parties) in \(call)") {
                let record = try await record("CALL.GET", "101", call).filter { $0.key.hasPrefix("party:") }
                let states = record.compactMapValues { PartyState(rawValue: Int($0.prefix { $0 != " " }) ?? 0) }
                return states == Dictionary(uniqueKeysWithValues: parties.map { ("party:\($0.key)", $0.value) })
            }
        }

        func untilAgent(_ id: String, is state: AgentState) async throws {
            try await port.until("\(id) is \(state)") {
                try await record("AGENT.GET", "101", id)["state"] == "\(state.rawValue)"
            }
        }

        /// All events of tenant 101.
        func events() async throws -> [VoiceEvent] {
            let entries = try await port.server.send(RedisCommand("XRANGE", "rs:{101}:voice:us-east", "-", "+"))
            return try entries.elements.map { entry in
                let words = entry[1]?.elements.map { $0.string ?? "" } ?? []
                let fields = stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }
                return try VoiceEvent(fields: fields)
            }
        }
    }

    private func withFloor(_ body: @escaping @Sendable (Floor) async throws -> Void) async throws {
        try await WritingPort.with { port in
            _ = try await port.server.send(RedisCommand("SADD", tenantsKey, "101"))
            let shipped = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/regions"
            let region = try RegionFile.load(
                "\(shipped)/us-east.yaml", environment: ["REGIONSYNC_REDIS_PORT": "\(port.redis.port)"])
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let endpoint = RedisEndpoint.patient(port.redis.port)
            let store = RedisClient(endpoint: endpoint, name: "projection", eventLoop: loop)
            var settings = VoiceProjection.Settings(region: "us-east", peers: [])
            settings.tenants = ["101"]
            let projector = Projector(
                catalog: region.catalog, settings: settings, provisioningStore: RedisProjectionStore(client: store),
                voiceStore: RedisProjectionStore(client: store),
                tail: { RedisProjectionTail(endpoint: endpoint, name: $0, eventLoop: loop, entriesPerRead: 512) },
                report: ProjectionReport(
                    states: ComponentStates(), metrics: MetricsRegistry(),
                    logger: Logger(label: "projection", factory: { _ in SwiftLogNoOpLogHandler() })))
            let frontEnds = FrontEnds(of: [region], say: { _ in })
            let client = try await port.client()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                defer { tasks.cancelAll() }
                tasks.addTask { await store.run() }
                tasks.addTask { await projector.run() }
                tasks.addTask { await frontEnds.run() }
                defer { frontEnds.stop() }
                try await body(Floor(port: port, client: client))
            }
            await client.close()
        }
    }

    @Test("a call is made, answered, held, retrieved, transferred and released; its states are read meanwhile")
    func callThroughItsLife() async throws {
        try await withFloor { floor in
            var references: [Int64] = []
            references.append(try await floor.ask("CALL.MAKE", "101", "1001", "1002", "DATA", #"{"order":17}"#))
            let call = try await floor.call(of: "1002")
            try await floor.until(call, ["1001": .dialing, "1002": .alerting])
            references.append(try await floor.ask("CALL.ANSWER", "101", "1002", call))
            try await floor.until(call, ["1001": .connected, "1002": .connected])
            references.append(try await floor.ask("CALL.HOLD", "101", "1002", call))
            try await floor.until(call, ["1001": .connected, "1002": .held])
            references.append(try await floor.ask("CALL.RETRIEVE", "101", "1002", call))
            try await floor.until(call, ["1001": .connected, "1002": .connected])

            references.append(try await floor.ask("CALL.TRANSFER", "101", "1002", call, "1003"))
            let consult = try await floor.call(of: "1003")
            try await floor.until(consult, ["1002": .dialing, "1003": .alerting])
            references.append(try await floor.ask("CALL.ANSWER", "101", "1003", consult))
            try await floor.until(consult, ["1002": .connected, "1003": .connected])
            references.append(try await floor.ask("CALL.COMPLETE", "101", "1002", call, consult))
            try await floor.until(call, ["1001": .connected, "1003": .connected])
            try await floor.port.until("the consult call has ended") { try await floor.calls() == [call] }
            let record = try await floor.record("CALL.GET", "101", call)
            #expect(
                record["UserData"] == #"{"order":17}"# && record["CallType"] == "1" && record["Region"] == "us-east")

            references.append(try await floor.ask("CALL.RELEASE", "101", "1001", call))
            try await floor.port.until("the call has ended") { try await floor.calls().isEmpty }
            #expect(Set(references).count == 8)
            let answered = try await floor.events().compactMap(\.referenceID)
            #expect(Set(answered) == Set(references))
        }
    }

    @Test("what cannot be done comes back as EventError with the reference; agents log in and out")
    func errorsAndAgents() async throws {
        try await withFloor { floor in
            let refused = try await floor.ask("CALL.HOLD", "101", "1001", "none")
            try await floor.port.until("an error") { try await !floor.events().isEmpty }
            let error = try #require(try await floor.events().first)
            #expect(error.name == .error && error.referenceID == refused && error.errorCode == 56)
            #expect(error.errorMessage?.isEmpty == false)

            #expect(try await floor.record("AGENT.GET", "101", "A1").isEmpty)
            _ = try await floor.ask("AGENT.LOGIN", "101", "1001", "A1", "MODE", "1")
            try await floor.untilAgent("A1", is: .notReady)
            _ = try await floor.ask("AGENT.READY", "101", "1001", "A1")
            try await floor.untilAgent("A1", is: .ready)
            _ = try await floor.ask("AGENT.NOTREADY", "101", "1001", "A1", "REASON", "Lunch")
            try await floor.untilAgent("A1", is: .notReady)
            _ = try await floor.ask("AGENT.LOGOUT", "101", "1001")
            try await floor.untilAgent("A1", is: .null)

            #expect(try await floor.client.say("CALL.GET", "101", "none") == "(nil)")
            let desk = try await floor.port.client("desk")
            for words in [["CALL.GET", "102", "c"], ["CALL.LIST", "Acme"], ["AGENT.GET", "nobody", "A1"]] {
                #expect(try await desk.say(words: words) == "(NOTENANT no such tenant)")
            }
            #expect(try await desk.say("CALL.LIST", "101", "DN") == "(ERR syntax error)")
            #expect(try await desk.say("CALL.GET", "101", "c{1}").hasPrefix("(ERR connID: expected"))
            await desk.close()
        }
    }
}
