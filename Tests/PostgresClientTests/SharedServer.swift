import PostgresClient
import ServerFixtures
import Testing

/// Starts one server for all tests of the suite it is put on.
struct SharedServer: SuiteTrait, TestScoping {
    @TaskLocal static var current: PostgresServer?
    var settings: [String: String] = [:]
    var accessRules: [String] = []
    var usesTLS = false

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let server = try await PostgresServer.start(settings: settings, accessRules: accessRules, usesTLS: usesTLS)
        do {
            try await Self.$current.withValue(server) { try await function() }
        } catch {
            await server.discard()
            throw error
        }
        await server.discard()
    }
}

extension PostgresServer {
    nonisolated func options(isReplication: Bool = false) -> PostgresOptions {
        var options = PostgresOptions(host: host, port: port, database: "postgres", user: "postgres")
        options.isReplication = isReplication
        return options
    }
}

/// The suite's server, and a connection to it.
func connect(
    isReplication: Bool = false, _ change: (inout PostgresOptions) -> Void = { _ in }
) async throws -> PostgresConnection {
    let server = try #require(SharedServer.current)
    var options = server.options(isReplication: isReplication)
    change(&options)
    return try await PostgresConnection.connect(options)
}
