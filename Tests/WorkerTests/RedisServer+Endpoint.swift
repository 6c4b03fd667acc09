import RedisClient
import ServerFixtures

extension RedisServer {
    /// Where it is, for who has all the time that a busy machine takes: a test itself, and what it tests where that is not
    /// about a server that is away.
    nonisolated var patientEndpoint: RedisEndpoint {
        RedisEndpoint(
            host: host, port: port, connectTimeout: .seconds(60), responseTimeout: .seconds(60),
            linkTimeout: .seconds(60))
    }
}
