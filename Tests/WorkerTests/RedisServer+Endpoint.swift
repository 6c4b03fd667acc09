import RedisClient
import ServerFixtures

extension RedisServer {
    /// Where it is, for connections that a busy machine does not end: who is killed hangs up all the same.
    nonisolated var patientEndpoint: RedisEndpoint {
        RedisEndpoint(
            host: host, port: port, connectTimeout: .seconds(60), responseTimeout: .seconds(60),
            linkTimeout: .seconds(60))
    }
}
