internal import NIOCore
internal import Observability

/// The metrics of one port, resolved once. Commands that do not exist count as `unknown`: what a client sends is never a
/// label.
struct ListenerMetrics: Sendable {
    private struct CommandMetrics: Sendable {
        let answered: Counter
        let refused: Counter
        let seconds: Histogram

        init(_ registry: MetricsRegistry, port: String, command: String) {
            answered = registry.counter(.listenerCommands, [.port: port, .command: command, .result: "ok"])
            refused = registry.counter(.listenerCommands, [.port: port, .command: command, .result: "error"])
            seconds = registry.histogram(.listenerSeconds, [.port: port, .command: command])
        }
    }

    let connections: Gauge
    private let commands: [CommandMetrics]
    private let unknown: CommandMetrics
    private let rejections: [Rejection: Counter]

    init(_ registry: MetricsRegistry, port: String, table: CommandTable) {
        connections = registry.gauge(.listenerConnections, [.port: port])
        connections.set(0)
        commands = table.commands.map {
            CommandMetrics(registry, port: port, command: $0.name.lowercased())
        }
        unknown = CommandMetrics(registry, port: port, command: "unknown")
        rejections = Dictionary(
            uniqueKeysWithValues: Rejection.allCases.map {
                ($0, registry.counter(.listenerRejected, [.port: port, .reason: $0.rawValue]))
            })
    }

    /// A command was answered; `place` is where it stands in the table.
    func answered(_ place: Int?, isError: Bool, in time: TimeAmount) {
        let command = place.flatMap { commands.indices.contains($0) ? commands[$0] : nil } ?? unknown
        (isError ? command.refused : command.answered).add()
        command.seconds.observe(Double(time.nanoseconds) / 1e9)
    }

    func rejected(_ reason: Rejection) { rejections[reason]?.add() }

    /// Commands answered so far.
    var answeredCount: UInt64 {
        (commands + [unknown]).reduce(0) { $0 &+ $1.answered.value &+ $1.refused.value }
    }
}
