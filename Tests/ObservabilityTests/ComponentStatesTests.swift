import Logging
import Observability
import Synchronization
import Testing

@Suite("Component states")
struct ComponentStatesTests {
    private static let streaming = ComponentState("streaming", .working)
    private static let stopped = ComponentState(
        "stopped", .stopped, reason: "slot regionsync is gone", advice: "regionsync check --region us-east.yaml")

    @Test("only a change is worth telling, and a new reason does not reset since")
    func changes() {
        let states = ComponentStates()
        #expect(states.state(of: "capture") == nil)
        #expect(states.set("capture", Self.streaming, at: Timestamp(nanoseconds: 0)))
        #expect(!states.set("capture", Self.streaming, at: Timestamp(nanoseconds: 1_000_000_000)))
        #expect(states.set("capture", Self.stopped, at: Timestamp(nanoseconds: 2_000_000_000)))
        #expect(states.set("capture", ComponentState("stopped", .stopped), at: Timestamp(nanoseconds: 3_000_000_000)))
        #expect(
            states.reports == [
                ComponentReport(
                    component: "capture", state: ComponentState("stopped", .stopped), since: "1970-01-01T00:00:02.000Z")
            ])
    }

    @Test(
        "a state is logged once, as loud as it is grave",
        arguments: [
            (ComponentState("streaming", .working), "info"), (ComponentState("starting", .waiting), "info"),
            (ComponentState("stopped", .stopped, reason: "the slot is gone"), "error"),
            (ComponentState("connecting", .waiting, reason: "refused"), "warning"),
            (ComponentState("streaming", .degraded, reason: "OOM"), "warning"),
        ])
    func logged(state: ComponentState, level: String) {
        let lines = LoggedText()
        let logger = LogOutput(format: .logfmt, level: .info, write: { lines.append($0) }).logger("test")
        let states = ComponentStates()
        for _ in 0..<2 { states.set("mirror", state, logging: "changed", to: logger) }
        let text = lines.text
        #expect(text.count { $0 == "\n" } == 1)
        #expect(text.contains(" level=\(level) logger=test msg=changed "))
        #expect(text.contains(" state=\(state.name)"))
    }

    @Test("the state now is 1 and those before it are 0")
    func metric() {
        let registry = MetricsRegistry()
        let states = ComponentStates()
        states.install(in: registry)
        states.set("capture", Self.streaming)
        states.set("capture", Self.stopped)
        states.set("redis", ComponentState("connected", .working))
        #expect(registry.snapshot().number(.state, [.component: "capture", .state: "streaming"]) == 0)
        #expect(registry.snapshot().number(.state, [.component: "capture", .state: "stopped"]) == 1)
        #expect(registry.snapshot().number(.state, [.component: "redis", .state: "connected"]) == 1)
        states.remove("redis")
        #expect(registry.snapshot().families[.state]?.count == 2)
    }
}

/// Keeps what was logged.
private final class LoggedText: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    func append(_ line: [UInt8]) { bytes.withLock { $0 += line } }
}
