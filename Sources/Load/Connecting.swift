internal import ArgumentParser
internal import NIOCore
internal import RedisClient

/// A server as the command line names it: `HOST:PORT`.
struct Server: ExpressibleByArgument, Hashable, Sendable {
    let host: String
    let port: Int

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let port = Int(parts[1]), (1...65535).contains(port) else {
            return nil
        }
        host = String(parts[0])
        self.port = port
    }

    /// Opens a connection. Patient: the servers measured here are stopped and overloaded on purpose.
    func connect(on eventLoop: any EventLoop, name: String) async throws(RedisError) -> RedisConnection {
        let endpoint = RedisEndpoint(
            host: host, port: port, connectTimeout: .seconds(60), responseTimeout: .seconds(120),
            linkTimeout: .seconds(120))
        return try await RedisConnection.connect(to: endpoint, name: "load-\(name)", on: eventLoop)
    }
}

/// Now, in nanoseconds by the clock that all processes of the machine share.
var monotonicNanoseconds: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }
