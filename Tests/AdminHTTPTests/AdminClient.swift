import AdminHTTP
import Foundation
import FoundationNetworking
import Logging
import Observability
import ServiceLifecycle
import Testing

/// A server on a free port of loopback and the answers it was asked for.
struct AdminClient: Sendable {
    struct Answer {
        let status: Int
        let headers: [String: String]
        let body: String
    }

    let port: Int

    /// Runs a server for the length of `body`, then shuts it down gracefully.
    static func withServer(
        _ answers: AdminAnswers = .fixed(), limits: AdminServer.Limits = AdminServer.Limits(),
        _ body: @escaping @Sendable (AdminClient) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = AdminServer(
            host: "127.0.0.1", port: 0, limits: limits, answers: answers, logger: .silent,
            onListening: { port.yield($0) })
        let group = ServiceGroup(services: [server], logger: .silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                var iterator = ports.makeAsyncIterator()
                let port = try #require(await iterator.next())
                do {
                    try await body(AdminClient(port: port))
                } catch {
                    await group.triggerGracefulShutdown()
                    throw error
                }
                await group.triggerGracefulShutdown()
            }
            try await tasks.waitForAll()
        }
    }

    func get(_ path: String, method: String = "GET", _ headers: [String: String] = [:]) async throws -> Answer {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
        request.httpMethod = method
        request.timeoutInterval = 60
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        let session = URLSession(configuration: .ephemeral)
        defer { session.invalidateAndCancel() }
        let (body, response) = try await session.data(for: request)
        let http = try #require(response as? HTTPURLResponse)
        var fields: [String: String] = [:]
        for (name, value) in http.allHeaderFields { fields["\(name)".lowercased()] = "\(value)" }
        return Answer(status: http.statusCode, headers: fields, body: String(decoding: body, as: UTF8.self))
    }
}

extension AdminAnswers {
    /// Answers that do not change.
    static func fixed(
        registry: MetricsRegistry = MetricsRegistry(), readiness: AdminReadiness = .ready, status: String = "{}"
    ) -> AdminAnswers {
        AdminAnswers(
            metrics: { registry.snapshot() }, readiness: { readiness }, statusJSON: { Array(status.utf8) })
    }
}

extension Logger {
    /// Says nothing.
    static var silent: Logger { Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
