import NIOCore
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing
import WANProxy

/// A real Redis server, a proxy before it, and connections through that.
@Suite("WAN proxy before a real Redis server", .serialized, .timeLimit(.minutes(5))) struct WANProxyTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test("passes on what is sent, large and small")
    func passes() async throws {
        try await withProxy { proxy, connection in
            let large = String(repeating: "x", count: 20_000_000)
            _ = try await connection.send(RedisCommand("SET", "large", large))
            #expect(try await connection.send(RedisCommand("GET", "large")).string == large)
            let replies = await connection.pipeline((0..<10_000).map { RedisCommand("SET", "k\($0)", "v") })
            #expect(try replies.allSatisfy { try $0.get().string == "OK" })
            let statistics = try await proxy.perform(.stats)
            #expect(statistics.connections == 1)
            #expect(statistics.bytesThere > 20_000_000)
            #expect(statistics.bytesBack > 20_000_000)
            #expect(statistics.queuedBytes == 0)
        }
    }

    @Test("delays both ways, and carries many commands at once all the same")
    func delays() async throws {
        try await withProxy { proxy, connection in
            try await proxy.perform(.delay(.milliseconds(100), Direction.allCases))
            let began = NIODeadline.now()
            let replies = await connection.pipeline((0..<10_000).map { _ in RedisCommand("INCR", "n") })
            #expect(NIODeadline.now() - began >= .milliseconds(200))
            #expect(try replies.last?.get().integer == 10_000)
        }
    }

    @Test("a stall loses nothing, also of a connection that its client has given up")
    func stalls() async throws {
        try await withServer { server, proxy in
            let witness = try await connect(to: server.port, name: "witness")
            let connection = try await connect(to: proxy.port)
            try await proxy.perform(.pass(.stalled, Direction.allCases))
            let answer: EventLoopFuture<RedisReply> = connection.send(RedisCommand("SET", "late", "1"))
            _ = try await loop.submit {}.get()
            await connection.close()
            await #expect(throws: RedisError.closed) { try await answer.get() }
            #expect(try await witness.send(RedisCommand("GET", "late")).isNull)
            try await proxy.perform(.heal)
            try await until { try await witness.send(RedisCommand("GET", "late")).string == "1" }
            try await until { try await proxy.perform(.stats).connections == 0 }
            await witness.close()
        }
    }

    @Test(
        "one way cut: requests arrive although answers do not, and the other way round", arguments: Direction.allCases)
    func cuts(_ direction: Direction) async throws {
        try await withServer { server, proxy in
            let witness = try await connect(to: server.port, name: "witness")
            let connection = try await connect(to: proxy.port)
            try await proxy.perform(.pass(.cut, [direction]))
            let answer: EventLoopFuture<RedisReply> = connection.send(
                RedisCommand("SET", "k", "1"), deadline: .milliseconds(500))
            await #expect(throws: RedisError.timeout) { try await answer.get() }
            if direction == .back {
                try await until { try await witness.send(RedisCommand("GET", "k")).string == "1" }
            } else {
                #expect(try await witness.send(RedisCommand("GET", "k")).isNull)
                // Half open: the server still has the connection that its client has closed.
                #expect(try await witness.send(RedisCommand("CLIENT", "LIST")).string?.contains("name=wan") == true)
            }
            try await proxy.perform(.heal)
            try await until { try await proxy.perform(.stats).connections == 0 }
            try await until {
                try await witness.send(RedisCommand("CLIENT", "LIST")).string?.contains("name=wan") == false
            }
            let again = try await connect(to: proxy.port)
            #expect(try await again.send(RedisCommand("PING")).string == "PONG")
            await again.close()
            await witness.close()
        }
    }

    @Test("resets in the middle of a command, and turns new clients away")
    func resets() async throws {
        try await withServer { server, proxy in
            let witness = try await connect(to: server.port, name: "witness")
            let connection = try await connect(to: proxy.port)
            try await proxy.perform(.resetAfter(50, [.there]))
            let commands = (0..<3).map { RedisCommand("SET", "k\($0)", String(repeating: "v", count: 10)) }
            for result in await connection.pipeline(commands) {
                if case .failure(let error) = result { #expect(error == .closed) }
            }
            #expect(try await connection.closeFuture.get() == .closed)
            #expect(try await witness.send(RedisCommand("EXISTS", "k1", "k2")).integer == 0)
            try await proxy.perform(.refuse)
            await #expect(throws: RedisError.self) { try await connect(to: proxy.port) }
            try await proxy.perform(.accept)
            let again = try await connect(to: proxy.port)
            try await proxy.perform(.reset)
            #expect(try await again.closeFuture.get() == .closed)
            await witness.close()
        }
    }

    @Test("flaps until it is healed")
    func flaps() async throws {
        try await withProxy { proxy, connection in
            try await proxy.perform(.flap(up: .milliseconds(20), down: .milliseconds(20)))
            try await until {
                (try? await connection.send(RedisCommand("PING"), deadline: .milliseconds(300))) == nil
            }
            try await proxy.perform(.heal)
            let again = try await connect(to: proxy.port)
            for _ in 0..<20 {
                #expect(try await again.send(RedisCommand("PING")).string == "PONG")
                try await Task.sleep(for: .milliseconds(10))
            }
            await again.close()
        }
    }

    @Test("a server that is away: the client is told")
    func tells() async throws {
        let proxy = try await WANProxy.start(to: "127.0.0.1", try freePort(), on: loop)
        await #expect(throws: RedisError.self) { try await connect(to: proxy.port) }
        try await proxy.close()
    }

    private func withServer(_ body: (RedisServer, WANProxy) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let proxy = try await WANProxy.start(to: server.host, server.port, on: loop)
            do {
                try await body(server, proxy)
            } catch {
                try await proxy.close()
                throw error
            }
            try await proxy.close()
        }
    }

    private func withProxy(_ body: (WANProxy, RedisConnection) async throws -> Void) async throws {
        try await withServer { _, proxy in
            let connection = try await connect(to: proxy.port)
            try await body(proxy, connection)
            await connection.close()
        }
    }

    private func connect(to port: Int, name: String = "wan") async throws(RedisError) -> RedisConnection {
        let endpoint = RedisEndpoint(
            host: "127.0.0.1", port: port, connectTimeout: .seconds(30), responseTimeout: .seconds(60),
            linkTimeout: .seconds(60))
        return try await RedisConnection.connect(to: endpoint, name: name, on: loop)
    }

    private func until(_ condition: () async throws -> Bool) async throws {
        for _ in 0..<3000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("in vain")
    }
}
