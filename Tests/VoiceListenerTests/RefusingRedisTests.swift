import NIOCore
import Observability
import PortFixtures
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

@Suite("The voice port in front of a Redis that refuses", .serialized) struct RefusingRedisTests {
    private static let name = ReadingPort.name
    private static let noRight = "-UNAVAILABLE the region's Redis does not let the worker do this\r\n"

    private static func entry(_ id: Int) -> String {
        "*1\r\n*2\r\n$\(name.utf8.count)\r\n\(name)\r\n*1\r\n*2\r\n$3\r\n\(id)-0\r\n*2\r\n$1\r\nn\r\n$1\r\n\(id)\r\n"
    }

    /// The connections that read for the feed.
    private static func readers(_ port: ReadingPort) async throws -> [Substring] {
        let list = try await port.tell("CLIENT", "LIST").string ?? ""
        return list.split(separator: " ").filter { $0.hasPrefix("name=regionsync-feed-") }
    }

    @Test("the right to read is taken away: who waits is told, and so are operators, until it is given back")
    func withoutRight() async throws {
        try await ReadingPort.with { port in
            try await port.append(1)
            let (waiting, other) = (try port.client(), try port.client())
            waiting.send("XREAD BLOCK 0 STREAMS \(Self.name) 1")
            try await port.untilWaiting(1)
            try await port.until("a reader reads") { try await !Self.readers(port).isEmpty }
            try await port.tell("ACL", "SETUSER", "default", "-xread")
            #expect(await waiting.hear(until: "\r\n") == Self.noRight)
            try await port.until("operators are told") {
                port.states.state(of: FeedReport.component)?.name == "refused"
            }
            let state = port.states.state(of: FeedReport.component)
            #expect(state?.health == .waiting)
            #expect(state?.reason?.contains("NOPERM") == true && state?.advice != nil)
            #expect(await other.say("XREAD BLOCK 0 STREAMS \(Self.name) 1") == Self.noRight)
            try await port.tell("ACL", "SETUSER", "default", "+xread")
            try await port.until("journals are read again") {
                port.states.state(of: FeedReport.component)?.name == "following"
            }
            waiting.send("XREAD BLOCK 0 STREAMS \(Self.name) 1")
            try await port.untilWaiting(1)
            try await port.append(2)
            #expect(await waiting.hear(until: Self.entry(2)) == Self.entry(2))
        }
    }

    @Test("what Redis refuses to one client does not interrupt the others")
    func oneRefused() async throws {
        try await ReadingPort.with { port in
            try await port.append(1)
            let (waiting, consumer) = (try port.client(), try port.client())
            waiting.send("XREAD BLOCK 0 STREAMS \(Self.name) 1")
            try await port.untilWaiting(1)
            try await port.until("a reader reads") { try await !Self.readers(port).isEmpty }
            let readers = try await Self.readers(port)
            try await port.tell("ACL", "SETUSER", "default", "-xreadgroup")
            #expect(await consumer.say("XREADGROUP GROUP g c BLOCK 0 STREAMS \(Self.name) >") == Self.noRight)
            try await port.append(2)
            #expect(await waiting.hear(until: Self.entry(2)) == Self.entry(2))
            #expect(try await Self.readers(port) == readers)
        }
    }

    @Test("a key that is no stream: in Redis' words, also to who would wait")
    func wrongType() async throws {
        try await ReadingPort.with { port in
            try await port.tell("SET", ReadingPort.key, "x")
            let client = try port.client()
            for line in [
                "XREAD STREAMS \(Self.name) 0", "XREAD BLOCK 0 STREAMS \(Self.name) 0",
                "XREADGROUP GROUP g c BLOCK 0 STREAMS \(Self.name) >", "XLEN \(Self.name)",
            ] {
                let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
                #expect(await client.say(line) == wrong, "\(line)")
            }
        }
    }

    @Test("what the worker may not do is told without its commands, keys and user")
    func withoutRights() async throws {
        try await ReadingPort.with { port in
            try await port.append(1)
            try await port.tell("ACL", "SETUSER", "default", "-xinfo", "-hget", "-xlen", "-xrange")
            let client = try port.client()
            for line in [
                "XREAD STREAMS \(Self.name) 1", "XREAD BLOCK 0 STREAMS \(Self.name) 1", "XREAD STREAMS \(Self.name) $",
                "XLEN \(Self.name)", "XRANGE \(Self.name) - +", "XINFO STREAM \(Self.name)", "XINFO HELP",
                "XREADGROUP GROUP g c BLOCK 0 STREAMS \(Self.name) >",
            ] {
                #expect(await client.say(line) == Self.noRight, "\(line)")
            }
        }
    }
}
