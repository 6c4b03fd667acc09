package import Logging
package import Observability
package import RESPServer
import ServiceLifecycle

/// Commands that are served on a free port of the loopback address, for as long as a test talks with it.
package struct ServedPort: Sendable {
    package enum Failure: Error {
        case notOpened
    }

    /// How the port is called in metrics.
    package static let label = "test"

    package let port: Int
    /// Counts what the port does.
    package let registry: MetricsRegistry
    private let group: ServiceGroup

    /// Serves a table for the length of `body`, then shuts down gracefully. It says that it is version 1.2.3.
    package static func with(
        _ table: CommandTable, accounts: AccountStore, tls: ServerTLS? = nil,
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        _ change: (inout ListenerLimits) -> Void = { _ in },
        _ body: @escaping @Sendable (ServedPort) async throws -> Void
    ) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let registry = MetricsRegistry()
        var settings = RESPServer.Settings(
            host: "127.0.0.1", port: 0, label: label, identity: ServerIdentity(version: "1.2.3"))
        // No client is late because the machine is busy; tests of these limits say their own.
        settings.limits.handshakeTime = .seconds(600)
        settings.limits.stallTime = .seconds(600)
        change(&settings.limits)
        let server = RESPServer(
            settings, table: table, accounts: accounts, tls: tls, registry: registry, logger: logger,
            onListening: { listening.yield($0) })
        let group = ServiceGroup(services: [server], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                var iterator = ports.makeAsyncIterator()
                guard let port = await iterator.next() else { throw Failure.notOpened }
                do {
                    try await body(ServedPort(port: port, registry: registry, group: group))
                } catch {
                    await group.triggerGracefulShutdown()
                    throw error
                }
                await group.triggerGracefulShutdown()
            }
            try await tasks.waitForAll()
        }
    }

    /// Begins to shut the server down.
    package func shutDown() async { await group.triggerGracefulShutdown() }
}
