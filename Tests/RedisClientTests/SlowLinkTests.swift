import NIOCore
import NIOPosix
import RESP
import ServerFixtures
import Testing
import WANProxy

@testable import RedisClient

@Suite("Slow links and dead ones", .serialized, .timeLimit(.minutes(5))) struct SlowLinkTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test("a command that takes longer to send than a link may be silent is not taken for a dead link")
    func slow() async throws {
        try await withProxy { proxy, endpoint in
            let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            try await proxy.perform(.rate(500_000, [.there]))
            let value = String(repeating: "x", count: 4_000_000)
            let began = NIODeadline.now()
            #expect(try await connection.send(RedisCommand("SET", "k", value)).string == "OK")
            #expect(NIODeadline.now() - began > TimeAmount(endpoint.responseTimeout))
            await connection.close()
        }
    }

    @Test("a link that takes everything and answers nothing is known to be dead, whatever is sent", arguments: [0, 50])
    func swallowing(_ sentLater: Int) async throws {
        try await withProxy { proxy, endpoint in
            let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            try await proxy.perform(.pass(.cut, [.back]))
            let first: EventLoopFuture<RedisReply> = connection.send(RedisCommand("PING"))
            for _ in 0..<sentLater where connection.isOpen {
                let _: EventLoopFuture<RedisReply> = connection.send(
                    RedisCommand("SET", "k", String(repeating: "x", count: 100_000)))
                try await Task.sleep(for: .milliseconds(100))
            }
            await #expect(throws: RedisError.timeout) { try await first.get() }
            #expect(try await connection.closeFuture.get() == .timeout)
        }
    }

    @Test("a blocked read through a link that is cut ends as well", arguments: Direction.allCases)
    func blocked(_ direction: Direction) async throws {
        try await withProxy { proxy, endpoint in
            let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            let command = RedisCommand("XREAD", "BLOCK", "1000", "STREAMS", "s", "$").blocking(for: .seconds(1))
            #expect(try await connection.send(command).isNull)
            try await proxy.perform(.pass(.cut, [direction]))
            await #expect(throws: RedisError.timeout) { try await connection.send(command) }
        }
    }

    @Test("what was sent with the first bytes arrives although nothing is answered")
    func greets() async throws {
        try await RedisServer.with { server in
            let proxy = try await WANProxy.start(to: server.host, server.port, on: loop)
            let witness = try await RedisConnection.connect(to: server.endpoint, name: "tests", on: loop)
            var endpoint = server.endpoint
            endpoint.port = proxy.port
            let greeting = [RedisCommand("SET", "k", "1"), RedisCommand("NONSENSE")]
            await (try await RedisConnection.connect(to: endpoint, name: "a", greeting: greeting, on: loop)).close()
            #expect(try await witness.send(RedisCommand("GETDEL", "k")).string == "1")
            try await proxy.perform(.pass(.cut, [.back]))
            endpoint.connectTimeout = .seconds(3)
            await #expect(throws: RedisError.noAnswer(reason: "\(endpoint): no answer within 3.0 seconds")) {
                try await RedisConnection.connect(to: endpoint, name: "b", greeting: greeting, on: loop)
            }
            #expect(try await witness.send(RedisCommand("GET", "k")).string == "1")
            await witness.close()
            try await proxy.close()
        }
    }

    @Test("only what an answer depends on counts as progress")
    func progress() {
        var delivery = Delivery()
        delivery.looked(written: 1_000, acknowledged: 100, at: at(1))
        #expect(delivery.lastProgress == at(0))
        delivery.looked(written: 2_000, acknowledged: 500, at: at(2))
        #expect(delivery.lastProgress == at(2))
        delivery.looked(written: 3_000, acknowledged: 500, at: at(3))
        #expect(delivery.lastProgress == at(2))
        delivery.looked(written: 4_000, acknowledged: 1_500, at: at(4))
        #expect(delivery.lastProgress == at(2))
        delivery.answered()
        delivery.looked(written: 4_000, acknowledged: 1_600, at: at(5))
        delivery.looked(written: 4_000, acknowledged: 1_700, at: at(6))
        #expect(delivery.lastProgress == at(6))
    }

    private func at(_ seconds: UInt64) -> NIODeadline { .uptimeNanoseconds(seconds * 1_000_000_000) }

    private func withProxy(_ body: (WANProxy, RedisEndpoint) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let proxy = try await WANProxy.start(to: server.host, server.port, on: loop)
            var endpoint = server.endpoint
            endpoint.port = proxy.port
            endpoint.linkTimeout = .milliseconds(4800)
            endpoint.responseTimeout = endpoint.linkTimeout
            do {
                try await body(proxy, endpoint)
            } catch {
                try await proxy.close()
                throw error
            }
            try await proxy.close()
        }
    }
}
