import AdminHTTP
import Foundation
import Logging
import Observability
import ServiceLifecycle
import Testing
import Verification

@Suite("Status: what workers say of themselves", .timeLimit(.minutes(5)))
struct StatusTests {
    private static func metrics() -> MetricsRegistry {
        let metrics = MetricsRegistry()
        metrics.gauge(.mirrorLinkUp, [.peer: "eu-west"]).set(1)
        metrics.gauge(.mirrorLagSeconds, [.peer: "eu-west"]).set(0.004)
        metrics.counter(.mirrorAppended, [.peer: "eu-west", .topic: "voice"]).add(40)
        metrics.counter(.mirrorAppended, [.peer: "eu-west", .topic: "control"]).add(2)
        metrics.gauge(.mirrorLagEntries, [.peer: "eu-west", .topic: "voice"]).set(7)
        metrics.gauge(.mirrorLagEntries, [.peer: "eu-west", .topic: "control"]).set(0)
        metrics.histogram(.mirrorLatencySeconds, [.peer: "eu-west"]).observe(0.0004, count: 10)
        return metrics
    }

    private static func states() -> ComponentStates {
        let states = ComponentStates()
        states.set("redis", ComponentState("connected", .working))
        states.set(
            "capture",
            ComponentState("slot-lost", .stopped, reason: "the slot is gone", advice: "drop it and start again"))
        return states
    }

    @Test("made from metrics and states; what is unknown is absent")
    func made() {
        let status = WorkerStatus(
            region: "us-east", waitingFor: ["capture"], states: Self.states(), metrics: Self.metrics().snapshot())
        #expect(!status.ready && status.process == Int(ProcessInfo.processInfo.processIdentifier))
        #expect(status.components.map(\.component) == ["capture", "redis"])
        #expect(status.links.map(\.peer) == ["eu-west"])
        let link = status.links[0]
        #expect((link.up, link.appended, link.backlogEntries) == (true, 42, 7))
        #expect(link.lagSeconds == 0.004)
        #expect((link.latencyP50Ms ?? 0) > 0.2 && (link.latencyP99Ms ?? 9) <= 0.4)
        #expect(status.capture == nil && status.projection == nil)
    }

    @Test("says when its process began, which tells it from those of one number in other containers")
    func began() throws {
        let text = try String(contentsOfFile: "/proc/self/stat", encoding: .utf8)
        let stat = try #require(ProcessStat(text))
        let status = WorkerStatus(
            region: "us-east", waitingFor: [], states: Self.states(), metrics: Self.metrics().snapshot())
        #expect(status.processStartTicks == stat.startTicks)
    }

    @Test("read from a worker of a version that does not say which process it is")
    func older() throws {
        let said = #"{"region": "us-east", "ready": true, "waitingFor": [], "components": [], "links": []}"#
        let status = try JSONDecoder().decode(WorkerStatus.self, from: Data(said.utf8))
        #expect(status.ready && status.process == nil && status.processStartTicks == nil)
    }

    @Test("who captures, or how capture stands where it cannot")
    func captures() {
        let cases: [(capturing: Double, state: ComponentState, says: String)] = [
            (1, ComponentState("streaming", .working), "capture: this region, connected"),
            (0, ComponentState("other-region", .working), "capture: another region, connected"),
            (0, ComponentState("waiting", .waiting, reason: "refused"), "capture: waiting, connected"),
            (0, ComponentState("former-primary", .stopped), "capture: former-primary, connected"),
        ]
        for (capturing, state, says) in cases {
            let (metrics, states) = (MetricsRegistry(), ComponentStates())
            metrics.gauge(.capturing).set(capturing)
            metrics.gauge(.captureConnected).set(1)
            states.set("capture", state)
            let status = WorkerStatus(region: "us-east", waitingFor: [], states: states, metrics: metrics.snapshot())
            let overview = StatusOverview(regions: [
                .init(
                    region: "us-east", address: "127.0.0.1:1", running: true, problem: nil, status: status,
                    eventsPerSecond: nil)
            ])
            #expect(overview.text.contains(says), "\(overview.text)")
        }
    }

    @Test("what a peer lacks of one topic does not pass for all that it lacks")
    func unknownBacklog() {
        let metrics = Self.metrics()
        metrics.gauge(.mirrorLagEntries, [.peer: "eu-west", .topic: "voice"]).set(nil as Double?)
        let status = WorkerStatus(
            region: "us-east", waitingFor: [], states: Self.states(), metrics: metrics.snapshot())
        #expect(status.links.map(\.backlogEntries) == [nil])
    }

    @Test("read from admin ports: one worker answers, another does not run")
    func read() async throws {
        let (metrics, states) = (Self.metrics(), Self.states())
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = AdminServer(
            host: "127.0.0.1", port: 0,
            answers: AdminAnswers(
                metrics: { metrics.snapshot() }, readiness: { .ready },
                status: { () -> any Encodable & Sendable in
                    WorkerStatus(region: "us-east", waitingFor: [], states: states, metrics: metrics.snapshot())
                }), logger: silent, onListening: { port.yield($0) })
        let group = ServiceGroup(services: [server], logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            var watch = StatusWatch([("us-east", "127.0.0.1", port), ("eu-west", "127.0.0.1", 1)])
            let first = await watch.look()
            metrics.counter(.mirrorAppended, [.peer: "eu-west", .topic: "voice"]).add(1_000)
            let second = await watch.look()
            var wrong = StatusWatch([("eu-west", "127.0.0.1", port)])
            let others = await wrong.look()
            #expect(others.regions[0].status?.ready == true && !others.isReady, "\(others.text)")
            #expect(others.text.contains("the worker there is that of region us-east"))
            await group.triggerGracefulShutdown()
            #expect(first.regions[0].eventsPerSecond == nil)
            #expect((second.regions[0].eventsPerSecond?["eu-west"] ?? 0) > 100)
            #expect(second.regions.map(\.running) == [true, false])
            #expect(!second.isReady)
            for piece in [
                "Region us-east  ready", "slot-lost", "-> drop it and start again", "eu-west  up", "4 ms",
                "Region eu-west  worker not running",
            ] { #expect(second.text.contains(piece), "\(second.text)") }
        }
    }
}
