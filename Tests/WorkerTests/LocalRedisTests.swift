import Logging
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import Worker

@Suite("The region's own Redis", .serialized)
struct LocalRedisTests {
    @Test("that begins to evict is told of in the log, once, and so is that it does not any longer")
    func evicting() async throws {
        try await RedisServer.with { server in
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            let endpoint = server.patientEndpoint
            let (states, log) = (ComponentStates(), LogLines())
            let message = "The region's Redis changed state"
            let local = LocalRedis(
                endpoint: endpoint, eventLoop: loop, states: states,
                logger: LogOutput(format: .logfmt, level: .info, write: { log.append($0) }).logger("redis"))
            let admin = try await RedisConnection.connect(to: endpoint, name: "test", on: loop)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                defer { tasks.cancelAll() }
                tasks.addTask { await local.client.run() }
                tasks.addTask { await local.watch() }
                try await until("it is connected") { states.state(of: LocalRedis.component)?.name == "connected" }
                for (policy, state) in [("allkeys-lru", "refused-evicting"), ("noeviction", "connected")] {
                    _ = try await admin.send(RedisCommand("CONFIG", "SET", "maxmemory-policy", policy))
                    try await until(state) { states.state(of: LocalRedis.component)?.name == state }
                }
                // While it is connected: that it is not any longer is told of as well.
                try await until("all is told of") { log.count(message, at: "info") == 2 }
                #expect(log.count(message, at: "error") == 1)
            }
            await admin.close()
        }
    }

    private func until(_ what: String, _ condition: () -> Bool) async throws {
        for _ in 0..<1500 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("in vain: \(what)")
    }
}
