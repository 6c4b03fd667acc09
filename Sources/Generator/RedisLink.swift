import NIOCore
import RedisClient

/// Keeps one connection for one purpose, and says when it has to wait for its server.
struct RedisLink: Sendable {
    let client: RedisClient
    let region: String
    private let say: @Sendable (String) -> Void

    init(
        _ endpoint: RedisEndpoint, region: String, purpose: String, eventLoop: any EventLoop,
        say: @escaping @Sendable (String) -> Void
    ) {
        client = RedisClient(endpoint: endpoint, name: "regionsync-generate-\(purpose)", eventLoop: eventLoop)
        self.region = region
        self.say = say
    }

    /// Hands every connection that comes about to `serve`, which returns when it is lost or of no use at present. Runs
    /// until the task is cancelled.
    func run(_ serve: @escaping @Sendable (RedisConnection) async -> Void) async {
        await withTaskGroup { group in
            group.addTask { await client.run() }
            group.addTask { await report() }
            group.addTask {
                while let connection = try? await client.connection() {
                    await serve(connection)
                    // A server that answers only errors is not to be asked without pause.
                    if connection.isOpen { try? await Task.sleep(for: .milliseconds(200)) }
                }
            }
        }
    }

    private func report() async {
        var reported: RedisError?
        for await state in client.states {
            switch state {
            case .waiting(let reason, _) where reason != reported:
                say("waiting for Redis of \(region) at \(client.endpoint): \(reason)")
                reported = reason
            case .connected where reported != nil:
                say("Redis of \(region) is back")
                reported = nil
            default: break
            }
        }
    }
}
