internal import Logging
internal import Observability
internal import RESPServer
internal import RegionConfig
internal import ServiceLifecycle

/// The ports a worker serves to clients that speak RESP.
struct Listeners: Sendable {
    /// A port of the region file, and the commands that are answered on it.
    struct Port: Sendable {
        /// Its key in the region file, and its label in metrics.
        let name: String
        let listener: Region.Listener
        let table: CommandTable
    }

    /// The component that tells how a port is.
    static func component(_ name: String) -> String { "listener \(name)" }

    let region: Region
    let open: OpenPorts
    let states: ComponentStates
    let metrics: MetricsRegistry
    let logger: Logger

    private static let retry = Duration.seconds(1)

    /// Serves the ports until cancelled, or until each has answered what was begun when the worker shuts down.
    func run(_ ports: [Port]) async {
        for port in ports { states.set(Self.component(port.name), ComponentState("opening", .waiting)) }
        let files = ListenerFiles(region.listeners, states: states, logger: logger)
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await files.watch() }
            await withDiscardingTaskGroup { served in
                for port in ports { served.addTask { await serve(port, files) } }
            }
            tasks.cancelAll()
        }
    }

    /// Serves one port, and tries again while it cannot be had.
    private func serve(_ port: Port, _ files: ListenerFiles) async {
        open.began()
        defer { open.ended() }
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                try await server(port, files).run()
            } catch {
                enter(
                    port,
                    ComponentState(
                        "cannot-listen", .waiting, reason: "\(error)",
                        advice: "mend what the reason names; regionsync check says who has a port; it is tried again"))
                try? await Task.sleep(for: Self.retry)
            }
        }
        enter(port, ComponentState("closed", .waiting))
    }

    private func server(_ port: Port, _ files: ListenerFiles) async throws -> RESPServer {
        var settings = RESPServer.Settings(
            host: port.listener.address.host, port: port.listener.address.port, label: port.name,
            identity: ServerIdentity(version: RegionWorker.version))
        settings.limits = ListenerLimits(region.listeners.limits)
        return RESPServer(
            settings, table: port.table, accounts: try await files.accounts(),
            tls: try await files.certificates(of: port.name, port.listener), registry: metrics, logger: logger,
            onListening: { _ in enter(port, ComponentState("listening", .working)) })
    }

    private func enter(_ port: Port, _ state: ComponentState) {
        states.set(Self.component(port.name), state, logging: "A port changed state", to: logger)
    }
}

extension ListenerLimits {
    init(_ limits: Region.Listeners.Limits) {
        self.init()
        clients = limits.clients
        clientsPerSource = limits.clientsPerSource
        idleTime = limits.idleTime
        handshakeTime = limits.handshakeTime
        drainTime = limits.drainTime
        outputBytes = limits.outputBytes
        totalOutputBytes = limits.totalOutputBytes
        totalInputBytes = limits.totalInputBytes
    }
}
