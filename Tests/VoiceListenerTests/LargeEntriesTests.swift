import NIOPosix
import PortFixtures
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

/// Groups whose entries are together more than is sent at once.
@Suite("Groups of large entries", .serialized) struct LargeEntriesTests {
    private static let name = ReadingPort.name
    private static let count = 300
    /// Entries of 64 KiB that one answer has at most: 16 MiB, and what the last round adds.
    private static let most = PageSize.wantedBytes >> 16 + PageSize.roundLimit

    /// A port before a stream of `count` entries of 64 KiB with a group `g`, and a client of it.
    private static func with(
        _ body: @escaping @Sendable (ReadingPort, RedisConnection) async throws -> Void
    ) async throws {
        try await ReadingPort.with { port in
            let script = """
                for i = 1, \(Self.count) do redis.call('XADD', KEYS[1], i .. '-0', 'n', string.rep('x', 65536)) end
                redis.call('XGROUP', 'CREATE', KEYS[1], 'g', '0')
                """
            try await port.tell("EVAL", script, "1", ReadingPort.key)
            let client = try await RedisConnection.connect(
                to: .patient(port.port), name: "test", on: MultiThreadedEventLoopGroup.singleton.next())
            try await body(port, client)
            await client.close()
        }
    }

    private static func read(_ start: String, _ client: RedisConnection) async throws -> [String] {
        let reply = try await client.send(
            RedisCommand("XREADGROUP", "GROUP", "g", "c", "COUNT", "1000", "STREAMS", name, start))
        return ids(in: reply[0]?[1])
    }

    private static func ids(in entries: RedisReply?) -> [String] {
        entries?.elements.compactMap { $0[0]?.string } ?? []
    }

    /// IDs of what a consumer has not acknowledged, as Redis has it.
    private static func pending(_ consumer: String, _ port: ReadingPort) async throws -> [String] {
        ids(in: try await port.tell("XPENDING", ReadingPort.key, "g", "-", "+", "1000", consumer))
    }

    private static let all = (1...count).map { "\($0)-0" }

    @Test("a consumer gets all in parts, of which each is all that it was given; and its own again in the same way")
    func reading() async throws {
        try await Self.with { port, client in
            var given: [String] = []
            var parts = 0
            while given.count < Self.count {
                let part = try await Self.read(">", client)
                #expect(part.count <= Self.most)
                guard !part.isEmpty else { break }
                given += part
                parts += 1
                #expect(try await Self.pending("c", port) == given)
            }
            #expect(given == Self.all && parts > 1)
            var again: [String] = []
            while true {
                let part = try await Self.read(again.last ?? "0", client)
                #expect(part.count <= Self.most)
                if part.isEmpty { break }
                again += part
            }
            #expect(again == Self.all)
        }
    }

    @Test("what is claimed is sent, and what is not sent is not claimed")
    func claiming() async throws {
        try await Self.with { port, client in
            while try await !Self.read(">", client).isEmpty {}
            let claim = RedisCommand(words: ["XCLAIM", Self.name, "g", "d", "0"] + Self.all, runs: [])
            let claimed = Self.ids(in: try await client.send(claim))
            #expect(!claimed.isEmpty && claimed.count <= Self.most && claimed.count < Self.count)
            #expect(try await Self.pending("d", port) == claimed)
            let ids = RedisCommand(words: ["XCLAIM", Self.name, "g", "d", "0"] + Self.all + ["JUSTID"], runs: [])
            #expect(try await client.send(ids).elements.compactMap(\.string) == Self.all)

            var (cursor, taken, parts) = ("0-0", [String](), 0)
            repeat {
                let answer = try await client.send(
                    RedisCommand("XAUTOCLAIM", Self.name, "g", "e", "0", cursor, "COUNT", "1000"))
                cursor = try #require(answer[0]?.string)
                taken += Self.ids(in: answer[1])
                parts += 1
                #expect(answer[1]?.count ?? 0 <= Self.most)
                #expect(try await Self.pending("e", port) == taken)
            } while cursor != "0-0" && parts < Self.count
            #expect(taken == Self.all && parts > 1)
        }
    }

    @Test("a part that fails keeps nobody from what was given before; who asks again is told")
    func failing() async throws {
        try await ReadingPort.with { port in
            for id in 1...5 { try await port.append(id) }
            try await port.tell("XGROUP", "CREATE", ReadingPort.key, "g", "0")
            // More streams than are read in one part, of which the last has no group.
            let count = PageSize.roundLimit
            let streams = Array(repeating: Self.name, count: count) + ["voice:101@eu-west"]
            let starts = Array(repeating: ">", count: count + 1)
            let line = "XREADGROUP GROUP g c STREAMS " + (streams + starts).joined(separator: " ")
            let client = try port.client()
            let answer = await client.say(line)
            #expect(answer.hasPrefix("*5\r\n") && (1...5).allSatisfy { answer.contains("$3\r\n\($0)-0\r\n") })
            #expect(try await Self.pending("c", port).count == 5)
            #expect(await client.say(line).hasPrefix("-NOGROUP "))
        }
    }

    @Test("the whole of a stream is told of by few of its entries")
    func wholeStream() async throws {
        try await Self.with { port, _ in
            let client = try port.client()
            let limit = PageSize.roundLimit
            #expect(await client.say("XINFO STREAM \(Self.name) FULL COUNT \(limit + 1)").hasPrefix("-LIMIT "))
            #expect(await client.say("XINFO STREAM \(Self.name) FULL COUNT 1").hasPrefix("*"))
        }
    }

    @Test("more IDs than are claimed at once, of which one is none: nothing is claimed")
    func noID() async throws {
        try await Self.with { port, client in
            _ = try await Self.read(">", client)
            let ids = (1...PageSize.roundLimit + 1).map { "\($0)-0" } + ["1-x"]
            let claim = RedisCommand(words: ["XCLAIM", Self.name, "g", "d", "0"] + ids, runs: [])
            await #expect(throws: RedisError.self) { _ = try await client.send(claim) as RedisReply }
            #expect(try await Self.pending("d", port).isEmpty)
        }
    }
}
