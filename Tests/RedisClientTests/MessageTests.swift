import NIOCore
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

@Suite("Messages of channels", .timeLimit(.minutes(5))) struct MessageTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test("come between the replies in order, and are nobody's answer")
    func messages() async throws {
        try await RedisServer.with { server in
            let (texts, arrived) = AsyncStream.makeStream(of: String.self)
            var endpoint = server.endpoint
            endpoint.linkTimeout = .milliseconds(4800)
            let subscriber = try await RedisConnection.connect(
                to: endpoint, name: "tests", onMessage: { arrived.yield($0.description) }, on: loop)
            let publisher = try await RedisConnection.connect(to: server.endpoint, name: "tests", on: loop)
            let subscribed = try await subscriber.send(RedisCommand("SUBSCRIBE", "news"))
            #expect(subscribed.description == "[\"subscribe\", \"news\", 1]")
            for number in 1...3 {
                async let pong: RedisReply = subscriber.send(RedisCommand("PING", "\(number)"))
                #expect(try await publisher.send(RedisCommand("PUBLISH", "news", "n\(number)")).integer == 1)
                #expect(try await pong.description == "[\"pong\", \"\(number)\"]")
            }
            var iterator = texts.makeAsyncIterator()
            for number in 1...3 { #expect(await iterator.next() == "\"n\(number)\"") }
            // A third of a link's time-out brings a PING of the client's own.
            try await Task.sleep(for: .milliseconds(2400))
            #expect(subscriber.isOpen)
            await subscriber.close()
            await publisher.close()
        }
    }

    @Test("tell of changed keys: a list of them, or of none where all are gone")
    func invalidations() async throws {
        try await RedisServer.with { server in
            let (texts, arrived) = AsyncStream.makeStream(of: String.self)
            let subscriber = try await RedisConnection.connect(
                to: server.endpoint, name: "tests", onMessage: { arrived.yield($0.description) }, on: loop)
            let reader = try await RedisConnection.connect(to: server.endpoint, name: "tests", on: loop)
            _ = try await subscriber.send(RedisCommand("SUBSCRIBE", "__redis__:invalidate"))
            _ = try await reader.send(RedisCommand("CLIENT", "TRACKING", "ON", "REDIRECT", "\(subscriber.clientID)"))
            _ = try await reader.send(RedisCommand("GET", "key"))
            _ = try await reader.send(RedisCommand("SET", "key", "v"))
            _ = try await reader.send(RedisCommand("FLUSHALL"))
            var iterator = texts.makeAsyncIterator()
            #expect(await iterator.next() == "[\"key\"]")
            #expect(await iterator.next() == "(nil)")
            await subscriber.close()
            await reader.close()
        }
    }

    @Test("end a connection that did not ask for any")
    func unasked() async throws {
        try await RedisServer.with { server in
            let deaf = try await RedisConnection.connect(to: server.endpoint, name: "tests", on: loop)
            let publisher = try await RedisConnection.connect(to: server.endpoint, name: "tests", on: loop)
            _ = try await deaf.send(RedisCommand("SUBSCRIBE", "news"))
            _ = try await publisher.send(RedisCommand("PUBLISH", "news", "n"))
            #expect(
                try await deaf.closeFuture.get() == .protocolViolation(reason: "a reply that nobody asked for"))
            await publisher.close()
        }
    }
}
