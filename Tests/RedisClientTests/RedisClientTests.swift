import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

@Suite("Reconnecting client", .timeLimit(.minutes(5))) struct RedisClientTests {
    @Test("Waits for a server that is not there yet, follows it through a restart, and stops")
    func reconnects() async throws {
        try await RedisServer.with { server in
            await server.stop()
            let client = RedisClient(
                endpoint: server.endpoint, name: "tests",
                eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await client.run() }
                var states = client.states.makeAsyncIterator()
                #expect(await states.next()?.name == "connecting")
                let waiting = await states.next()
                guard case .waiting(.connect, let wait)? = waiting else {
                    Issue.record("\(String(describing: waiting))")
                    return
                }
                #expect(wait >= .milliseconds(25) && wait <= .milliseconds(50))

                try await server.start()
                let first = try await client.connection()
                #expect(try await first.send(RedisCommand("PING")).string == "PONG")
                try await server.restart()
                var second = try await client.connection()
                while second === first { second = try await client.connection() }
                #expect(try await second.send(RedisCommand("PING")).string == "PONG")
                #expect(!first.isOpen)

                group.cancelAll()
                try await group.waitForAll()
                #expect(!second.isOpen)
                await #expect(throws: CancellationError.self) { try await client.connection() }
            }
        }
    }

    @Test("Whoever waits can be cancelled, and is released when the client stops")
    func waiters() async throws {
        let client = RedisClient(
            endpoint: RedisEndpoint(host: "127.0.0.1", port: try freePort()), name: "tests",
            eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { (try? await client.connection()) == nil }
            group.cancelAll()
            #expect(await group.next() == true)
        }
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { (try? await client.connection()) == nil }
            await withTaskGroup(of: Void.self) { running in
                running.addTask { await client.run() }
                running.cancelAll()
            }
            #expect(await group.next() == true)
        }
    }

    @Test("Back-off doubles to its cap, with jitter, and begins again")
    func backoff() {
        var backoff = ReconnectBackoff(first: .milliseconds(100), cap: .seconds(1))
        for step in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next()
            #expect(wait >= .milliseconds(step / 2) && wait <= .milliseconds(step))
        }
        backoff.reset()
        #expect(backoff.next() <= .milliseconds(100))
    }
}

extension RedisClient.State {
    fileprivate var name: String {
        switch self {
        case .connecting: "connecting"
        case .connected: "connected"
        case .waiting: "waiting"
        case .stopped: "stopped"
        }
    }
}
