import NIOCore
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

/// Streams that have more than is sent at once, or than Redis may answer at once.
@Suite("Reads of more than is sent at once", .serialized) struct LargeReadsTests {
    private static let name = ReadingPort.name
    /// An answer's bytes, at most: those that are wanted, and what the wire adds.
    private static let most = PageSize.wantedBytes + 1 << 20

    /// A port, and a client of it.
    private static func with(
        _ body: @escaping @Sendable (ReadingPort, RedisConnection) async throws -> Void
    ) async throws {
        try await ReadingPort.with { port in
            let client = try await RedisConnection.connect(
                to: .patient(port.port), name: "test", on: MultiThreadedEventLoopGroup.singleton.next())
            try await body(port, client)
            await client.close()
        }
    }

    /// Appends entries `ids` with one value of so many bytes each.
    private static func append(
        _ ids: ClosedRange<Int>, bytes: Int, to key: String = ReadingPort.key, of port: ReadingPort
    ) async throws {
        let script = """
            local value = string.rep('x', tonumber(ARGV[3]))
            for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do redis.call('XADD', KEYS[1], i .. '-0', 'n', value) end
            """
        for first in stride(from: ids.lowerBound, through: ids.upperBound, by: 500) {
            let last = min(first + 499, ids.upperBound)
            try await port.tell("EVAL", script, "1", key, "\(first)", "\(last)", "\(bytes)")
        }
    }

    private static func read(_ words: [String], _ client: RedisConnection) async throws -> RedisReply {
        try await client.send(RedisCommand(words: ["XREAD"] + words, runs: []), deadline: .seconds(60))
    }

    private static func ids(in entries: RedisReply?) -> [String] {
        entries?.elements.compactMap { $0[0]?.string } ?? []
    }

    private static func ids(_ range: ClosedRange<Int>) -> [String] { range.map { "\($0)-0" } }

    @Test("small entries before many large ones: who reads gets all in parts, and nobody's connection ends")
    func uneven() async throws {
        try await Self.with { port, client in
            try await Self.append(1...64, bytes: 1, of: port)
            try await Self.append(65...2064, bytes: 64 << 10, of: port)
            let connection = try await port.tell("CLIENT", "ID").integer
            for block in [[], ["BLOCK", "600000"]] as [[String]] {
                var (found, parts) = ([String](), 0)
                while found.count < 2064 {
                    let reply = try await Self.read(block + ["STREAMS", Self.name, found.last ?? "0"], client)
                    let part = Self.ids(in: reply[0]?[1])
                    #expect(reply.wire.readableBytes <= Self.most)
                    guard !part.isEmpty else { break }
                    found += part
                    parts += 1
                }
                #expect(found == Self.ids(1...2064) && parts > 1 && parts < 20)
            }
            #expect(try await client.say("XRANGE", Self.name, "-", "+").hasPrefix("(LIMIT "))
            #expect(try await client.say("XREVRANGE", Self.name, "+", "-").hasPrefix("(LIMIT "))
            let some = try await client.send(
                RedisCommand("XRANGE", Self.name, "-", "+", "COUNT", "200"), deadline: .seconds(60))
            #expect(Self.ids(in: some) == Self.ids(1...200))
            #expect(try await port.tell("CLIENT", "ID").integer == connection)
        }
    }

    @Test("many streams of large entries: all are read on in every part; one may be named a thousand times")
    func manyStreams() async throws {
        try await Self.with { port, client in
            let streams = (201...208).flatMap { tenant in
                ["us-east", "eu-west"].map { (key: "rs:{\(tenant)}:voice:\($0)", name: "voice:\(tenant)@\($0)") }
            }
            for stream in streams { try await Self.append(1...40, bytes: 64 << 10, to: stream.key, of: port) }
            let names = streams.map(\.name)
            var found: [String: [String]] = [:]
            var parts = 0
            while parts < 40 {
                let places = names.map { found[$0]?.last ?? "0" }
                let reply = try await Self.read(["STREAMS"] + names + places, client)
                guard reply.count > 0 else { break }
                #expect(reply.wire.readableBytes <= Self.most)
                if parts == 0 { #expect(reply.elements.compactMap { $0[0]?.string } == names) }
                for stream in reply.elements {
                    let name = try #require(stream[0]?.string)
                    found[name, default: []] += Self.ids(in: stream[1])
                }
                parts += 1
            }
            #expect(found.count == 16 && found.values.allSatisfy { $0 == Self.ids(1...40) } && parts > 1)

            let again = Array(repeating: names[0], count: ReadCall.streamLimit)
            let reply = try await Self.read(["STREAMS"] + again + again.map { _ in "0" }, client)
            #expect(reply.count > 1 && reply.wire.readableBytes <= Self.most)
            #expect(reply.elements.allSatisfy { Self.ids(in: $0[1]) == ["1-0"] })
            let ends = try await Self.read(["STREAMS"] + again + again.map { _ in "$" }, client)
            #expect(ends.isNull)
        }
    }

    @Test("ten thousand small entries are one answer, as are more streams than one page has")
    func small() async throws {
        try await Self.with { port, client in
            try await Self.append(1...10_001, bytes: 1, of: port)
            let all = try await Self.read(["STREAMS", Self.name, "0"], client)
            #expect(Self.ids(in: all[0]?[1]) == Self.ids(1...10_000))
            let some = try await Self.read(["COUNT", "130", "STREAMS", Self.name, "5"], client)
            #expect(Self.ids(in: some[0]?[1]) == Self.ids(6...135))
            let range = try await client.send(
                RedisCommand("XRANGE", Self.name, "2", "+"), deadline: .seconds(60))
            #expect(Self.ids(in: range) == Self.ids(2...10_001))

            let names = Array(repeating: Self.name, count: 150)
            let reply = try await Self.read(["COUNT", "2", "STREAMS"] + names + (1...150).map { "\($0)" }, client)
            #expect(reply.elements.map { Self.ids(in: $0[1]) } == (1...150).map { Self.ids($0 + 1...$0 + 2) })
            let end = "18446744073709551615-18446744073709551615"
            #expect(try await Self.read(["STREAMS", Self.name, end], client).isNull)
        }
    }

    @Test("an entry past the port that is more than Redis may answer: who reads it is told, and others read on")
    func tooLarge() async throws {
        try await Self.with { port, client in
            try await Self.append(1...1, bytes: 65 << 20, of: port)
            try await Self.append(2...2, bytes: 1, of: port)
            for line in [["XREAD", "STREAMS", Self.name, "0"], ["XRANGE", Self.name, "-", "+"]] {
                #expect(try await client.say(words: line).hasPrefix("(LIMIT "), "\(line)")
                // The connection ends with it, and is made again.
                try await port.until("Redis is asked again") {
                    try await client.say(words: ["XLEN", Self.name]) == "2"
                }
            }
            let reply = try await Self.read(["STREAMS", Self.name, "1"], client)
            #expect(Self.ids(in: reply[0]?[1]) == ["2-0"])
        }
    }
}
