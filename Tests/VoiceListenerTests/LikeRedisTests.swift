import NIOCore
import PortFixtures
import RESP
import RedisClient
import ServerFixtures
import Testing

@Suite("Streams of the voice port answer as Redis does") struct LikeRedisTests {
    /// Said in this order to both; `K` is the stream. What changes nothing is compared on the way.
    static let script = [
        "XLEN K", "XREAD STREAMS K 0", "XREAD BLOCK 1 STREAMS K 0", "XINFO STREAM K", "XINFO GROUPS K",
        "XGROUP CREATE K g 0", "XGROUP SETID K g 0", "XGROUP DESTROY K g", "XPENDING K g", "XRANGE K - +",
        "XREADGROUP GROUP g c STREAMS K >", "XACK K g 1-0", "XCLAIM K g c 0 1-0", "XAUTOCLAIM K g c 0 0",
        "XGROUP CREATE K g 0 MKSTREAM", "XGROUP CREATE K g 0", "XINFO STREAM K", "XINFO GROUPS K", "XPENDING K g",
        "XREADGROUP GROUP g c BLOCK 1 STREAMS K >", "+1", "+2", "+3", "+4", "XLEN K", "XREAD STREAMS K 0",
        "XREAD COUNT 2 STREAMS K 1", "XREAD COUNT -3 STREAMS K 1-0", "XREAD COUNT 1 BLOCK 60000 STREAMS K 2-0",
        "XREAD BLOCK 1 STREAMS K $", "XREAD BLOCK 1 STREAMS K 4", "XREAD BLOCK 1 STREAMS K 9",
        "XREAD COUNT 1 BLOCK 0 STREAMS K 0", "XREAD STREAMS K K 0 2", "XREAD STREAMS K 4", "xread streams K 3",
        "XRANGE K - +", "XRANGE K 2 3", "XRANGE K (2 +", "XRANGE K - + COUNT 2", "XRANGE K - + COUNT 0",
        "XRANGE K - + COUNT -1", "XRANGE K - + COUNT x", "XRANGE K x +", "XRANGE K - + FOO", "XRANGE K 3 2",
        "XREVRANGE K + -", "XREVRANGE K 3 2 COUNT 1", "XREVRANGE K + - COUNT", "XRANGE K -", "XLEN", "XREAD STREAMS K",
        "XREADGROUP GROUP g c COUNT 2 STREAMS K >", "XREADGROUP GROUP g d COUNT 1 BLOCK 60000 STREAMS K >",
        "XREADGROUP GROUP g c STREAMS K 0", "XREADGROUP GROUP g c STREAMS K 9", "XREADGROUP GROUP g c STREAMS K $",
        "XREADGROUP GROUP g c STREAMS K x", "XREADGROUP GROUP no c STREAMS K >", "XPENDING K g", "XPENDING K no",
        "XINFO STREAM K", "XINFO STREAM K FULL COUNT x", "XINFO STREAM K FOO", "XINFO GROUPS K", "XINFO CONSUMERS K no",
        "XINFO FOO K", "XINFO GROUPS", "XINFO HELP", "XGROUP HELP", "XGROUP FOO K g", "XGROUP CREATE K",
        "XCLAIM K g d 0 1-0", "XCLAIM K g d 0 2-0 JUSTID", "XAUTOCLAIM K g c 0 0 COUNT 1",
        "XAUTOCLAIM K g c 0 0 JUSTID",
        "XACK K g 1-0 2-0 9-0", "XACK K g x", "-3", "XREADGROUP GROUP g c STREAMS K 0", "XAUTOCLAIM K g d 0 0",
        "XGROUP CREATECONSUMER K g e", "XGROUP DELCONSUMER K g e", "XGROUP SETID K g 0", "XGROUP SETID K no 0",
        "XREADGROUP GROUP g c NOACK STREAMS K >", "XPENDING K g", "XREADGROUP GROUP g c STREAMS K >",
        "XGROUP DESTROY K g", "XGROUP DESTROY K g", "XINFO GROUPS K", "-1", "-2", "-4", "XINFO STREAM K",
        "XREAD STREAMS K 0", "XRANGE K - +",
    ]

    @Test("to everything that clients of streams say", arguments: [2, 3])
    func alike(version: Int) async throws {
        try await ReadingPort.with { port in
            let ours = try port.client()
            let theirs = try PortTalk(port: port.redis.port)
            for client in [ours, theirs] { _ = await client.say("HELLO \(version)") }
            for line in Self.script {
                switch line.first {
                case "+":
                    for key in [ReadingPort.key, "s"] { try await port.append(Int(line.dropFirst()) ?? 0, to: key) }
                case "-":
                    for key in [ReadingPort.key, "s"] { try await port.tell("XDEL", key, "\(line.dropFirst())-0") }
                default:
                    let own = await ours.say(Self.named(line, ReadingPort.name))
                    let other = await theirs.say(Self.named(line, "s"))
                    #expect(own == Self.renamed(other), "\(line)")
                }
            }
        }
    }

    @Test("and so do readings of idle times and whole streams, but for the times", arguments: [2, 3])
    func alikeButForTimes(version: Int) async throws {
        try await ReadingPort.with { port in
            for key in [ReadingPort.key, "s"] {
                try await port.append(1, to: key)
                try await port.append(2, to: key)
                try await port.tell("XGROUP", "CREATE", key, "g", "0")
                try await port.tell("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", key, ">")
            }
            let ours = try port.client()
            let theirs = try PortTalk(port: port.redis.port)
            for client in [ours, theirs] { _ = await client.say("HELLO \(version)") }
            for line in ["XPENDING K g - + 10", "XINFO CONSUMERS K g", "XINFO STREAM K FULL"] {
                let own = await ours.say(Self.named(line, ReadingPort.name))
                let other = await theirs.say(Self.named(line, "s"))
                #expect(Self.timeless(own) == Self.timeless(Self.renamed(other)), "\(line)")
            }
        }
    }

    private static func named(_ line: String, _ key: String) -> String {
        line.split(separator: " ").map { $0 == "K" ? key : String($0) }.joined(separator: " ")
    }

    /// The reply as if the stream were called as ours is.
    private static func renamed(_ reply: String) -> String {
        let name = ReadingPort.name
        return reply.replacing("$1\r\ns\r\n", with: "$\(name.utf8.count)\r\n\(name)\r\n")
            .replacing("'s'", with: "'\(name)'")
    }

    /// Without numbers.
    private static func timeless(_ reply: String) -> [Substring] {
        reply.split(separator: "\r\n").map { $0.hasPrefix(":") ? ":" : $0 }
    }
}
