import NIOPosix
import RedisClient
import ServerFixtures

extension RedisServer {
    /// With more patience than a worker has: test machines are busy.
    nonisolated var endpoint: RedisEndpoint {
        RedisEndpoint(
            host: host, port: port, connectTimeout: .seconds(30), responseTimeout: .seconds(60),
            linkTimeout: .seconds(30))
    }
}

/// Runs `body` on a connection to a server of its own.
func withConnection(
    responseTimeout: Duration = .seconds(60), _ body: (RedisConnection, RedisEndpoint) async throws -> Void
) async throws {
    try await RedisServer.with { server in
        var endpoint = server.endpoint
        endpoint.responseTimeout = responseTimeout
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
        try await body(connection, endpoint)
        await connection.close()
    }
}
