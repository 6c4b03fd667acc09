import NIOCore
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

@Suite("Connection faults", .serialized, .timeLimit(.minutes(5))) struct ConnectionFaultTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test("A port that nobody listens on, and a name that nobody has")
    func refused() async throws {
        let port = try freePort()
        let cases = [
            ("127.0.0.1", port, "connection refused"), ("localhost", port, "connection refused"),
            ("no-such-host.invalid", 6379, "unknown host"),
        ]
        for (host, port, words) in cases {
            // Whoever resolves names may be slow to say that there is no such one.
            let endpoint = RedisEndpoint(host: host, port: port, connectTimeout: .seconds(60))
            do {
                _ = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
                Issue.record("connected to \(endpoint)")
            } catch {
                guard case .connect(let reason) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(reason == "\(endpoint): \(words)")
            }
        }
    }

    @Test("A killed server: everything in flight fails as closed")
    func killed() async throws {
        try await RedisServer.with { server in
            let connection = try await connect(to: server)
            await server.pause()
            async let results = connection.pipeline((0..<1000).map { RedisCommand("SET", "k\($0)", "v") })
            _ = try? await loop.submit {}.get()
            await server.kill()
            let failures = await results.map { result in
                if case .failure(let error) = result { error } else { RedisError.timeout }
            }
            #expect(failures == Array(repeating: RedisError.closed, count: 1000))
            #expect(try await connection.closeFuture.get() == .closed)
        }
    }

    @Test("A server that stands still: timeout within the deadline, for all in flight")
    func paused() async throws {
        try await RedisServer.with { server in
            let connection = try await connect(to: server)
            await server.pause()
            let began = NIODeadline.now()
            let closed = connection.closeFuture.map { _ in NIODeadline.now() }
            let results = await connection.pipeline(
                [RedisCommand("PING"), RedisCommand("PING")], deadline: .milliseconds(300))
            let took = try await closed.get() - began
            for result in results {
                #expect(throws: RedisError.timeout) { try result.get() }
            }
            #expect(took >= .milliseconds(300))
            #expect(try await connection.closeFuture.get() == .timeout)
        }
    }

    @Test("An idle link that has died is known by itself")
    func halfOpen() async throws {
        try await RedisServer.with { server in
            var endpoint = server.endpoint
            endpoint.linkTimeout = .milliseconds(4800)
            let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            try await Task.sleep(for: .milliseconds(2400))
            #expect(connection.isOpen, "a PING is answered")
            await server.pause()
            #expect(try await connection.closeFuture.get() == .timeout)
        }
    }

    @Test("A server that keeps answering is not late, however many wait")
    func busy() async throws {
        try await withPeer(saying: ["+OK\r\n:1\r\n"] + Array(repeating: "+PONG\r\n", count: 12)) { endpoint in
            let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            let commands = (0..<12).map { _ in RedisCommand("PING") }
            for result in await connection.pipeline(commands, deadline: .seconds(5)) { _ = try result.get() }
            await connection.close()
        }
    }

    @Test("Credentials: none, wrong, of a user, and where none are wanted")
    func credentials() async throws {
        try await RedisServer.with(settings: ["requirepass sesame", "user worker on >secret ~* +@all"]) { server in
            var endpoint = server.endpoint
            try await expectAuthentication(endpoint, "NOAUTH")
            endpoint.password = "wrong"
            try await expectAuthentication(endpoint, "WRONGPASS")
            endpoint.password = "sesame"
            try await RedisConnection.connect(to: endpoint, name: "tests", on: loop).close()
            endpoint.username = "worker"
            try await expectAuthentication(endpoint, "WRONGPASS")
            endpoint.password = "secret"
            let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            #expect(try await connection.send(RedisCommand("ACL", "WHOAMI")).string == "worker")
            await connection.close()
        }

        try await RedisServer.with { open in
            try await expectAuthentication(
                RedisEndpoint(host: open.host, port: open.port, password: "x", connectTimeout: .seconds(30)), "ERR")
        }
    }

    @Test("A server that has enough clients says so")
    func full() async throws {
        try await RedisServer.with { server in
            let connection = try await connect(to: server)
            // Not from the start: the connection by which the server was found to answer may still be counted.
            _ = try await connection.send(RedisCommand("CONFIG", "SET", "maxclients", "1"))
            await #expect(throws: RedisError.server(code: "ERR", message: "max number of clients reached")) {
                try await connect(to: server)
            }
            await connection.close()
        }
    }

    @Test("An answer beyond the limit: who asked for it is told so, all others that the connection is closed")
    func tooLarge() async throws {
        try await RedisServer.with { server in
            var endpoint = server.endpoint
            endpoint.replyBytes = 1 << 20
            let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            let results = await connection.pipeline([
                RedisCommand("SETRANGE", "k", "\(4 << 20)", "x"), RedisCommand("GET", "k"), RedisCommand("PING"),
            ])
            let reason = RedisError.tooLarge(reason: "a reply of more than 1048576 bytes")
            #expect(try results[0].get().integer == 4 << 20 + 1)
            #expect(throws: reason) { try results[1].get() }
            #expect(throws: RedisError.closed) { try results[2].get() }
            #expect(try await connection.closeFuture.get() == reason)
        }
    }

    @Test(
        "A peer that talks garbage is left",
        arguments: [
            "HTTP/1.1 400 Bad Request\r\n\r\n", "\u{0}\u{1}\u{2}", "+OK\r\n:1\r\n+surplus\r\n", "*1\r\n$-7\r\n",
        ])
    func garbage(_ wire: Wire) async throws {
        try await withPeer(saying: [wire.text]) { endpoint in
            do {
                let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
                let reason = try await connection.closeFuture.get()
                guard case .protocolViolation = reason else {
                    Issue.record("\(reason)")
                    return
                }
            } catch let error as RedisError {
                guard case .protocolViolation = error else {
                    Issue.record("\(error)")
                    return
                }
            }
        }
    }

    @Test("A peer that takes the connection and says nothing")
    func silent() async throws {
        try await withPeer(saying: []) { endpoint in
            var endpoint = endpoint
            endpoint.connectTimeout = .milliseconds(300)
            await #expect(throws: RedisError.noAnswer(reason: "\(endpoint): no answer within 0.3 seconds")) {
                try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            }
        }
    }

    private func connect(to server: RedisServer) async throws(RedisError) -> RedisConnection {
        try await RedisConnection.connect(
            to: server.endpoint, name: "tests", on: loop)
    }

    private func expectAuthentication(_ endpoint: RedisEndpoint, _ code: String) async throws {
        do throws(RedisError) {
            try await RedisConnection.connect(to: endpoint, name: "tests", on: loop).close()
            Issue.record("let in without \(code)")
        } catch {
            guard case .authentication(let message) = error, message.hasPrefix(code) else {
                Issue.record("\(error)")
                return
            }
        }
    }

    /// Runs `body` against a peer that answers the first bytes with the first text, and the next ones with the others, one every
    /// 500 ms.
    private func withPeer(saying texts: [String], _ body: (RedisEndpoint) async throws -> Void) async throws {
        let peer = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Parrot(texts: texts))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body(
                RedisEndpoint(
                    host: "127.0.0.1", port: peer.localAddress?.port ?? 0, connectTimeout: .seconds(30),
                    linkTimeout: .seconds(60)))
        } catch {
            try await peer.close()
            throw error
        }
        try await peer.close()
    }
}

private final class Parrot: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let texts: [String]
    private var isFirst = true

    init(texts: [String]) { self.texts = texts }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = context.channel
        let now = isFirst ? texts.prefix(1) : texts.dropFirst()
        for (index, text) in now.enumerated() {
            context.eventLoop.scheduleTask(in: .milliseconds(500 * Int64(index))) {
                channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            }
        }
        isFirst = false
    }
}
