import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

@Suite("Bounds of consumer groups", .serialized) struct GroupBoundsTests {
    private static let name = ReadingPort.name

    /// A client that says lines.
    private struct Client: Sendable {
        let connection: RedisConnection

        /// What is answered, errors as `(CODE message)`.
        func say(_ line: String) async throws -> String {
            try await connection.say(words: line.split(separator: " ").map(String.init))
        }
    }

    /// A port, and a client of it.
    private static func with(_ body: @escaping @Sendable (ReadingPort, Client) async throws -> Void) async throws {
        try await ReadingPort.with { port in
            let connection = try await RedisConnection.connect(
                to: .patient(port.port), name: "test", on: MultiThreadedEventLoopGroup.singleton.next())
            try await body(port, Client(connection: connection))
            await connection.close()
        }
    }

    /// Has Redis make groups `g1` to `g<count>` of the stream, which has the entries 1 to 3.
    private static func makeGroups(_ count: Int, of port: ReadingPort) async throws {
        for id in 1...3 { try await port.append(id) }
        let script = "for i = 1, tonumber(ARGV[1]) do redis.call('XGROUP', 'CREATE', KEYS[1], 'g' .. i, '0') end"
        try await port.tell("EVAL", script, "1", ReadingPort.key, "\(count)")
    }

    /// Has Redis make consumers `c1` to `c<count>` of group `g1`.
    private static func makeConsumers(_ count: Int, of port: ReadingPort) async throws {
        let script = """
            for i = 1, tonumber(ARGV[1]) do redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], 'g1', 'c' .. i) end
            """
        try await port.tell("EVAL", script, "1", ReadingPort.key, "\(count)")
    }

    private static func consumers(of port: ReadingPort) async throws -> Int {
        try await port.tell("XINFO", "CONSUMERS", ReadingPort.key, "g1").count
    }

    @Test("a stream has so many groups: one more is refused, until another is destroyed")
    func groups() async throws {
        try await Self.with { port, client in
            try await Self.makeGroups(GroupBounds.groupLimit - 1, of: port)
            #expect(try await client.say("XGROUP CREATE \(Self.name) last 0") == "OK")
            #expect(try await client.say("XGROUP CREATE \(Self.name) more 0").hasPrefix("(LIMIT "))
            #expect(try await client.say("XGROUP CREATE \(Self.name) more $ MKSTREAM").hasPrefix("(LIMIT "))
            #expect(try await client.say("XGROUP CREATE \(Self.name) last 0").hasPrefix("(BUSYGROUP "))
            #expect(try await port.tell("XINFO", "GROUPS", ReadingPort.key).count == GroupBounds.groupLimit)
            // Each stream has its own.
            #expect(try await client.say("XGROUP CREATE voice:102@us-east more 0 MKSTREAM") == "OK")
            #expect(try await client.say("XGROUP DESTROY \(Self.name) last") == "1")
            #expect(try await client.say("XGROUP CREATE \(Self.name) more 0") == "OK")
        }
    }

    @Test("a group has so many consumers: whatever would make one more is refused, those there are go on")
    func consumers() async throws {
        try await Self.with { port, client in
            try await Self.makeGroups(2, of: port)
            try await Self.makeConsumers(GroupBounds.consumerLimit - 1, of: port)
            let read = "XREADGROUP GROUP g1 last COUNT 1 STREAMS \(Self.name) >"
            #expect(try await client.say(read).contains("1-0"))
            for line in [
                "XREADGROUP GROUP g1 more STREAMS \(Self.name) >", "XREADGROUP GROUP g1 more STREAMS \(Self.name) 0",
                "XREADGROUP GROUP g1 more BLOCK 0 STREAMS \(Self.name) >",
                "XREADGROUP GROUP g1 more STREAMS voice:102 \(Self.name) > >",
                "XGROUP CREATECONSUMER \(Self.name) g1 more", "XCLAIM \(Self.name) g1 more 0 1-0",
                "XCLAIM \(Self.name) g1 more 0 1-0 JUSTID", "XAUTOCLAIM \(Self.name) g1 more 0 0",
            ] {
                #expect(try await client.say(line).hasPrefix("(LIMIT "), "\(line)")
            }
            #expect(try await Self.consumers(of: port) == GroupBounds.consumerLimit)
            #expect(port.feed.size.clients == 0)

            let again = "XREADGROUP GROUP g1 c1 BLOCK 60000 COUNT 1 STREAMS \(Self.name) >"
            #expect(try await client.say(again).contains("2-0"))
            #expect(try await client.say("XGROUP CREATECONSUMER \(Self.name) g1 c1") == "0")
            #expect(try await client.say("XCLAIM \(Self.name) g1 c1 0 1-0 JUSTID").contains("1-0"))
            #expect(try await client.say("XGROUP CREATECONSUMER \(Self.name) g2 more") == "1")
            #expect(try await client.say("XGROUP DELCONSUMER \(Self.name) g1 c9") == "0")
            #expect(try await client.say("XREADGROUP GROUP g1 more STREAMS \(Self.name) >").contains("3-0"))
        }
    }

    @Test("names that are too long are refused, and make nothing")
    func names() async throws {
        try await Self.with { port, client in
            try await Self.makeGroups(1, of: port)
            let long = String(repeating: "n", count: GroupBounds.nameBytes + 1)
            let longest = String(long.dropFirst())
            for line in [
                "XGROUP CREATE \(Self.name) \(long) 0", "XGROUP CREATECONSUMER \(Self.name) g1 \(long)",
                "XREADGROUP GROUP g1 \(long) STREAMS \(Self.name) >", "XCLAIM \(Self.name) g1 \(long) 0 1-0",
                "XREADGROUP GROUP g1 \(long) BLOCK 0 STREAMS \(Self.name) >",
                "XAUTOCLAIM \(Self.name) g1 \(long) 0 0",
            ] {
                #expect(try await client.say(line).hasPrefix("(LIMIT "), "\(line)")
            }
            #expect(try await port.tell("XINFO", "GROUPS", ReadingPort.key).count == 1)
            #expect(try await Self.consumers(of: port) == 0)
            #expect(try await client.say("XGROUP CREATE \(Self.name) \(longest) 0") == "OK")
            #expect(try await client.say("XGROUP CREATECONSUMER \(Self.name) \(longest) \(longest)") == "1")
        }
    }

    @Test("what cannot be counted is not made")
    func uncounted() async throws {
        try await Self.with { port, client in
            try await Self.makeGroups(1, of: port)
            try await port.tell("ACL", "SETUSER", "default", "-xinfo")
            for line in [
                "XGROUP CREATE \(Self.name) g2 0", "XREADGROUP GROUP g1 c1 STREAMS \(Self.name) >",
                "XGROUP CREATECONSUMER \(Self.name) g1 c1",
            ] {
                #expect(try await client.say(line).hasPrefix("(UNAVAILABLE "), "\(line)")
            }
            try await port.tell("ACL", "SETUSER", "default", "+xinfo")
            #expect(try await port.tell("XINFO", "GROUPS", ReadingPort.key).count == 1)
            #expect(try await Self.consumers(of: port) == 0)
        }
    }
}
