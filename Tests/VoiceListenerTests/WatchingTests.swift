import NIOCore
import Observability
import PortFixtures
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

@Suite("Watches, groups and refusals of the voice port", .serialized) struct WatchingTests {
    private static let name = ReadingPort.name

    private static func news(_ watch: Int, _ region: String, _ id: Int) -> String {
        ">5\r\n$5\r\nvoice\r\n:\(watch)\r\n$7\r\n\(region)\r\n$3\r\n\(id)-0\r\n*2\r\n$1\r\nn\r\n$1\r\n\(id)\r\n"
    }

    @Test("a watch is told of all regions from now on, until it ends")
    func watches() async throws {
        try await ReadingPort.with { port in
            try await port.append(1)
            let client = try port.client()
            _ = await client.say("HELLO 3")
            #expect(
                await client.say("VOICE.WATCH 101")
                    == "%2\r\n$5\r\nwatch\r\n:1\r\n$9\r\npositions\r\n%2\r\n$7\r\nus-east\r\n$3\r\n1-0\r\n"
                    + "$7\r\neu-west\r\n$3\r\n0-0\r\n")
            #expect(await client.say("VOICE.WATCH 101 eu-west").hasPrefix("%2\r\n$5\r\nwatch\r\n:2\r\n"))
            try await port.append(2)
            #expect(await client.hear(until: Self.news(1, "us-east", 2)) == Self.news(1, "us-east", 2))
            try await port.append(3, to: "rs:{101}:voice:eu-west")
            let both = Self.news(1, "eu-west", 3) + Self.news(2, "eu-west", 3)
            #expect(await client.hear(until: both) == both)
            #expect(await client.say("VOICE.UNWATCH 1") == "+OK\r\n")
            #expect(await client.say("VOICE.UNWATCH 1") == "-NOTFOUND no such watch\r\n")
            try await port.append(4, to: "rs:{101}:voice:eu-west")
            #expect(await client.hear(until: Self.news(2, "eu-west", 4)) == Self.news(2, "eu-west", 4))
        }
    }

    @Test("watches end with their connection, are bounded, and need RESP3")
    func boundedWatches() async throws {
        try await ReadingPort.with { port in
            do {
                let client = try port.client()
                #expect(await client.say("VOICE.WATCH 101") == "-ERR VOICE.WATCH needs RESP3: say HELLO 3 first\r\n")
                _ = await client.say("HELLO 3")
                for _ in 0..<VoiceWatches.limit { #expect(await client.say("VOICE.WATCH 101").hasPrefix("%2")) }
                #expect(await client.say("VOICE.WATCH 101").hasPrefix("-LIMIT "))
                #expect(await client.say("VOICE.UNWATCH 3") == "+OK\r\n")
                #expect(await client.say("VOICE.WATCH 101").hasPrefix("%2\r\n$5\r\nwatch\r\n:17\r\n"))
                #expect(await client.say("VOICE.WATCH 101 mars") == "-NOTFOUND no such region\r\n")
                #expect(port.feed.size.clients == VoiceWatches.limit)
            }
            try await port.untilWaiting(0)
        }
    }

    @Test("a client that is gone does not wait any more")
    func gone() async throws {
        try await ReadingPort.with { port in
            do {
                let client = try port.client()
                client.send("XREAD BLOCK 0 STREAMS \(Self.name) 0")
                try await port.untilWaiting(1)
            }
            try await port.untilWaiting(0)
        }
    }

    @Test("consumers of a group that wait share what comes, each entry with one of them")
    func groups() async throws {
        try await ReadingPort.with { port in
            try await port.tell("XGROUP", "CREATE", ReadingPort.key, "g", "0", "MKSTREAM")
            let clients = try (0..<4).map { _ in try port.client() }
            for (index, client) in clients.enumerated() {
                client.send("XREADGROUP GROUP g c\(index) COUNT 1 BLOCK 0 STREAMS \(Self.name) >")
            }
            try await port.untilWaiting(4)
            var ids: Set<String> = []
            for id in 1...4 { try await port.append(id) }
            for client in clients {
                let heard = await client.hear(until: "$1\r\nn\r\n$1\r\n")
                ids.formUnion(heard.split(separator: "\r\n").filter { $0.hasSuffix("-0") }.map(String.init))
            }
            #expect(ids == ["1-0", "2-0", "3-0", "4-0"])
            let pending = try await port.tell("XPENDING", ReadingPort.key, "g")
            #expect(pending[0]?.integer == 4)
        }
    }

    @Test("a consumer that waits hears that its group was destroyed")
    func destroyedGroup() async throws {
        try await ReadingPort.with { port in
            try await port.tell("XGROUP", "CREATE", ReadingPort.key, "g", "0", "MKSTREAM")
            let (waiting, other) = (try port.client(), try port.client())
            waiting.send("XREADGROUP GROUP g c BLOCK 0 STREAMS \(Self.name) >")
            try await port.untilWaiting(1)
            #expect(await other.say("XGROUP DESTROY \(Self.name) g") == ":1\r\n")
            #expect(await waiting.hear(until: "\r\n").hasPrefix("-NOGROUP "))
        }
    }

    @Test("a group of a copy that has not begun makes no stream under its key")
    func groupOfNoCopy() async throws {
        try await ReadingPort.with { port in
            let client = try port.client()
            let line = "XGROUP CREATE voice:101@eu-west g 0 MKSTREAM"
            #expect(await client.say(line).contains("requires the key to exist"))
            #expect(try await port.tell("EXISTS", "rs:{101}:voice:eu-west").integer == 0)
            try await port.tell("HSET", "rs:{101}:voice:eu-west:meta", "birth", "b", "last", "0-0")
            #expect(await client.say(line) == "+OK\r\n")
        }
    }

    @Test("of tenants that an account does not see nothing is told, whatever is asked")
    func isolation() async throws {
        try await ReadingPort.with { port in
            try await port.append(1, to: "rs:{102}:voice:us-east")
            let client = try port.client()
            _ = await client.say("HELLO 3 AUTH pulse sesame")
            for name in ["voice:102@us-east", "voice:102", "voice:999@eu-west"] {
                for line in [
                    "XREAD STREAMS \(name) 0", "XREAD BLOCK 0 STREAMS \(Self.name) \(name) 0 0", "XRANGE \(name) - +",
                    "XREVRANGE \(name) + -", "XLEN \(name)", "XINFO STREAM \(name)", "XGROUP CREATE \(name) g 0",
                    "XREADGROUP GROUP g c STREAMS \(name) >", "XACK \(name) g 1-0", "XPENDING \(name) g",
                    "XCLAIM \(name) g c 0 1-0", "XAUTOCLAIM \(name) g c 0 0",
                ] {
                    #expect(await client.say(line) == "-NOTENANT no such tenant\r\n", "\(line)")
                }
            }
            #expect(await client.say("VOICE.WATCH 102") == "-NOTENANT no such tenant\r\n")
            for name in ["voice:101@mars", "voice:", "rs:{101}:voice:us-east", "101"] {
                #expect(await client.say("XREAD STREAMS \(name) 0").hasPrefix("-NOTFOUND "), "\(name)")
                #expect(await client.say("XLEN \(name)").hasPrefix("-NOTFOUND "), "\(name)")
            }
        }
    }

    @Test("more entries than are sent at once are read in parts")
    func limits() async throws {
        try await ReadingPort.with { port in
            let count = ReadCall.entryLimit + 1
            let script = "for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], i .. '-0', 'n', i) end"
            try await port.tell("EVAL", script, "1", ReadingPort.key, "\(count)")
            let client = try port.client()
            #expect(await client.say("XRANGE \(Self.name) - +").hasPrefix("-LIMIT "))
            #expect(await client.say("XREVRANGE \(Self.name) + - COUNT 1000000").hasPrefix("-LIMIT "))
            #expect(await client.say("XINFO STREAM \(Self.name) FULL COUNT 0").hasPrefix("-LIMIT "))
            #expect(await client.say("XINFO STREAM \(Self.name) FULL COUNT \(count)").hasPrefix("-LIMIT "))
            #expect(await client.say("XAUTOCLAIM \(Self.name) g c 0 0 JUSTID COUNT \(count)").hasPrefix("-LIMIT "))
            #expect(await client.say("XPENDING \(Self.name) g - + 1001").hasPrefix("-LIMIT "))
            #expect(await client.say("XPENDING \(Self.name) g IDLE 1 - + 1001").hasPrefix("-LIMIT "))
            let part = await client.say("XREAD STREAMS \(Self.name) 0")
            #expect(part.hasPrefix("*1\r\n*2\r\n$17\r\n\(Self.name)\r\n*\(ReadCall.entryLimit)\r\n"))
            let all = await client.say("XRANGE \(Self.name) 2 +")
            #expect(all.hasPrefix("*\(ReadCall.entryLimit)\r\n"))
        }
    }

    @Test("a range of more bytes than are sent at once is refused, and read with COUNT")
    func largeRange() async throws {
        try await ReadingPort.with { port in
            let script = """
                for i = 1, 280 do redis.call('XADD', KEYS[1], i .. '-0', 'n', string.rep('x', 65536)) end
                """
            try await port.tell("EVAL", script, "1", ReadingPort.key)
            let client = try port.client()
            #expect(await client.say("XRANGE \(Self.name) - +").hasPrefix("-LIMIT "))
            #expect(await client.say("XREVRANGE \(Self.name) + - COUNT 279").hasPrefix("-LIMIT "))
            #expect(await client.say("XREVRANGE \(Self.name) + - COUNT 2").hasPrefix("*2\r\n*2\r\n$5\r\n280-0\r\n"))
            #expect(await client.say("XRANGE \(Self.name) 279 +").hasPrefix("*2\r\n*2\r\n$5\r\n279-0\r\n"))
        }
    }

    @Test("metrics tell how many wait, and for how many journals")
    func metrics() async throws {
        try await ReadingPort.with { port in
            let registry = MetricsRegistry()
            port.feed.install(in: registry)
            let client = try port.client()
            client.send("XREAD BLOCK 0 STREAMS \(Self.name) 0")
            try await port.untilWaiting(1)
            let samples = registry.snapshot()
            #expect(samples.number(.voiceJournals) == 1)
            #expect(samples.number(.voiceWaiting, [.kind: "read"]) == 1)
            #expect(samples.number(.voiceWaiting, [.kind: "watch"]) == 0)
            #expect(samples.number(.voiceBytes) == 0)
        }
    }
}
