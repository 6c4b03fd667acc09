internal import Journal
internal import Logging
internal import NIOCore
internal import Observability
internal import RedisClient

/// The region's own Redis as housekeeping sees it: one connection, and the word whether journals are safe there.
struct LocalRedis: Sendable {
    static let component = "redis"

    let client: RedisClient
    let states: ComponentStates
    let logger: Logger

    init(endpoint: RedisEndpoint, eventLoop: any EventLoop, states: ComponentStates, logger: Logger) {
        client = RedisClient(endpoint: endpoint, name: "regionsync-housekeeping", eventLoop: eventLoop)
        self.states = states
        self.logger = logger
        states.set(Self.component, ComponentState("connecting", .waiting, reason: "\(endpoint)"))
    }

    /// Returns when the server can be trusted with journals; says meanwhile what is amiss. False when cancelled.
    func becomesUsable() async -> Bool {
        while !Task.isCancelled {
            if await look() { return true }
            try? await Task.sleep(for: .milliseconds(100))
        }
        return false
    }

    /// Keeps the state true, a look a second once it is usable, until cancelled.
    func watch() async {
        while await becomesUsable() { try? await Task.sleep(for: .seconds(1)) }
    }

    private func look() async -> Bool {
        switch await client.state {
        case .connected(let connection):
            do throws(RedisError) {
                let info = try await ServerInfo.ask(connection)
                guard !info.mayEvict else {
                    enter(
                        ComponentState(
                            "refused-evicting", .stopped,
                            reason: "maxmemory-policy \(info.evictionPolicy) may throw journals away",
                            advice: ServerInfo.evictionAdvice))
                    return false
                }
                guard info.hasFunctions else {
                    enter(
                        ComponentState(
                            "refused-version", .stopped, reason: "Redis \(info.version) has no functions",
                            advice: "use Redis 7.0 or newer"))
                    return false
                }
                enter(ComponentState("connected", .working))
                return true
            } catch {
                enter(ComponentState("connecting", .waiting, reason: "\(error)"))
            }
        case .waiting(let error, _):
            enter(ComponentState("connecting", .waiting, reason: "\(error)"))
        case .connecting, .stopped: break
        }
        return false
    }

    private func enter(_ state: ComponentState) {
        states.set(Self.component, state, logging: "The region's Redis changed state", to: logger)
    }
}
