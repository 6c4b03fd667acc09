import Journal
import NIOCore
import PortFixtures
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

@Suite("Reading on the voice port", .serialized) struct ReadingTests {
    private static let name = ReadingPort.name

    private static func entry(_ name: String, _ id: Int) -> String {
        "*1\r\n*2\r\n$\(name.utf8.count)\r\n\(name)\r\n" + "*1\r\n" + fields(id)
    }

    private static func fields(_ id: Int) -> String {
        let text = "\(id)"
        let idText = "\(id)-0"
        return "*2\r\n$\(idText.utf8.count)\r\n\(idText)\r\n*2\r\n$1\r\nn\r\n$\(text.utf8.count)\r\n\(text)\r\n"
    }

    @Test("a thousand clients that wait all get what comes, of a stream of their own region and of a copy")
    func thousand() async throws {
        try await ReadingPort.with { port in
            let copy = "voice:101@eu-west"
            try await port.append(1)
            let clients = try (0..<1000).map { _ in try port.client() }
            for (index, client) in clients.enumerated() {
                client.send("XREAD BLOCK 0 STREAMS " + (index % 2 == 0 ? "\(Self.name) 1" : "\(copy) 0"))
            }
            try await port.untilWaiting(1000)
            try await port.append(2)
            try await port.append(1, to: "rs:{101}:voice:eu-west")
            for (index, client) in clients.enumerated() {
                let wanted = index % 2 == 0 ? Self.entry(Self.name, 2) : Self.entry(copy, 1)
                let heard = await client.hear(until: wanted)
                #expect(heard == wanted)
            }
            #expect(port.feed.size.clients == 0 && port.feed.size.journals == 2)
        }
    }

    @Test("a client reads on behind what it got, and misses nothing that comes meanwhile")
    func follows() async throws {
        try await ReadingPort.with { port in
            let client = try port.client()
            async let written: Void = Self.append(500, to: port)
            var last = 0
            var text = ""
            while last < 500 {
                client.send("XREAD COUNT 7 BLOCK 30000 STREAMS \(Self.name) \(last)")
                client.send("ECHO end")
                let heard = await client.hear(until: "$3\r\nend\r\n")
                let lines = heard.split(separator: "\r\n").filter { $0.hasSuffix("-0") }
                let ids = lines.compactMap { Int($0.dropLast(2)) }
                guard !ids.isEmpty, ids == Array(last + 1...last + ids.count) else {
                    text = heard
                    break
                }
                last += ids.count
            }
            #expect(last == 500, "\(text)")
            try await written
        }
    }

    private static func append(_ count: Int, to port: ReadingPort) async throws {
        for id in 1...count { try await port.append(id) }
    }

    @Test("a server that restarts under clients that wait: they stay, and get what comes then")
    func restarted() async throws {
        try await ReadingPort.with { port in
            try await port.append(1)
            let clients = try (0..<20).map { _ in try port.client() }
            for client in clients { client.send("XREAD BLOCK 0 STREAMS \(Self.name) 1") }
            let brief = try port.client()
            try await port.untilWaiting(20)
            await port.redis.kill()
            try await port.until("Redis is known to be away") {
                await brief.say("XRANGE \(Self.name) - +").hasPrefix("-UNAVAILABLE ")
            }
            #expect(await brief.say("XREAD STREAMS \(Self.name) 0").hasPrefix("-UNAVAILABLE "))
            #expect(await brief.say("XREAD BLOCK 0 STREAMS voice:102@eu-west 0").hasPrefix("-UNAVAILABLE "))
            #expect(await brief.say("XREADGROUP GROUP g c BLOCK 0 STREAMS \(Self.name) >").hasPrefix("-UNAVAILABLE "))
            #expect(await brief.say("XREAD BLOCK 20 STREAMS \(Self.name) 1") == "*-1\r\n")
            #expect(port.feed.size.clients == 20)
            try await port.redis.start()
            try await port.append(2)
            for client in clients {
                let heard = await client.hear(until: Self.entry(Self.name, 2))
                #expect(heard == Self.entry(Self.name, 2))
            }
        }
    }

    @Test("a stream that is gone and begins anew: who waits behind its end is told")
    func recreated() async throws {
        try await ReadingPort.with { port in
            for id in 1...9 { try await port.append(id) }
            let client = try port.client()
            client.send("XREAD BLOCK 0 STREAMS \(Self.name) 9")
            try await port.untilWaiting(1)
            try await port.tell("DEL", ReadingPort.key)
            #expect(await client.hear(until: "\r\n").hasPrefix("-STALE 0-0 "))
        }
    }

    @Test("a journal whose mark changes: who has read of it is told, and so is who watches")
    func forked() async throws {
        try await ReadingPort.with { port in
            try await port.append(5)
            try await port.tell("HSET", "\(ReadingPort.key):meta", "birth", "a")
            let (reader, watcher) = (try port.client(), try port.client())
            reader.send("XREAD BLOCK 0 STREAMS \(Self.name) 5")
            _ = await watcher.say("HELLO 3")
            #expect(await watcher.say("VOICE.WATCH 101 us-east").hasPrefix("%2\r\n"))
            try await port.untilWaiting(2)
            try await port.tell("HSET", "\(ReadingPort.key):meta", "birth", "b")
            #expect(await reader.hear(until: "\r\n").hasPrefix("-STALE 5-0 "))
            let news = ">5\r\n$5\r\nvoice\r\n:1\r\n$7\r\nus-east\r\n$5\r\nSTALE\r\n_\r\n"
            #expect(await watcher.hear(until: news) == news)
        }
    }

    @Test("who comes back with an ID of a former life, of which entries are in this one no more, is told so")
    func parted() async throws {
        try await ReadingPort.with { port in
            // 3 was last in both lives; 5 to 7 were of the former one, and 6 came again.
            for id in [1, 3, 6, 9] { try await port.append(id) }
            try await port.tell("HSET", "\(ReadingPort.key):meta", PartedEntries.field, "3-0 7-0")
            let client = try port.client()
            for line in [
                "XREAD STREAMS \(Self.name) 4", "XREAD BLOCK 0 STREAMS \(Self.name) 5", "XRANGE \(Self.name) 4 +",
                "XRANGE \(Self.name) (4 +",
            ] {
                #expect(await client.say(line).hasPrefix("-STALE 1-0 is the first entry of \(Self.name): "), "\(line)")
            }
            for line in [
                "XREAD STREAMS \(Self.name) 0", "XREAD STREAMS \(Self.name) 1", "XREAD STREAMS \(Self.name) 3",
                "XREAD STREAMS \(Self.name) 6", "XREAD STREAMS \(Self.name) 7", "XRANGE \(Self.name) - +",
                "XRANGE \(Self.name) 3 +", "XRANGE \(Self.name) 6 +", "XREVRANGE \(Self.name) + 4",
            ] {
                let answer = await client.say(line)
                #expect(!answer.hasPrefix("-") && !answer.hasPrefix("*-1"), "\(line): \(answer)")
            }
        }
    }

    @Test("the same where memory has all that this life has")
    func partedInMemory() async throws {
        try await ReadingPort.with { port in
            let (first, second) = (try port.client(), try port.client())
            first.send("XREAD BLOCK 0 STREAMS \(Self.name) $")
            try await port.untilWaiting(1)
            for id in [8, 9] { try await port.append(id) }
            #expect(await first.hear(until: "\r\n").hasPrefix("*1"))
            try await port.tell("HSET", "\(ReadingPort.key):meta", PartedEntries.field, "0-0 5-0")
            try await port.until("it is told") {
                await second.say("XREAD BLOCK 1000 STREAMS \(Self.name) 4").hasPrefix("-STALE 8-0 ")
            }
            for id in [0, 5, 8] {
                #expect(await second.say("XREAD BLOCK 1000 STREAMS \(Self.name) \(id)").hasPrefix("*1"), "\(id)")
            }
        }
    }

    @Test("what was trimmed below a reader's place is told of, but not to who reads from the beginning")
    func trimmed() async throws {
        try await ReadingPort.with { port in
            for id in 1...6 { try await port.append(id) }
            try await port.tell("XTRIM", ReadingPort.key, "MINID", "4")
            try await port.tell("HSET", "\(ReadingPort.key):meta", "floor", "3-0")
            let client = try port.client()
            for line in [
                "XREAD STREAMS \(Self.name) 2", "XREAD BLOCK 0 STREAMS \(Self.name) 2", "XRANGE \(Self.name) 3 +",
                "XRANGE \(Self.name) (2 +", "XREAD STREAMS voice:102@us-east \(Self.name) 0 2",
            ] {
                #expect(await client.say(line).hasPrefix("-STALE 4-0 is the first entry of \(Self.name): "), "\(line)")
            }
            for line in [
                "XREAD STREAMS \(Self.name) 0", "XREAD STREAMS \(Self.name) 3", "XRANGE \(Self.name) - +",
                "XRANGE \(Self.name) 0 +", "XRANGE \(Self.name) (3 +", "XRANGE \(Self.name) 4 +",
                "XREVRANGE \(Self.name) + 1",
            ] {
                #expect(await client.say(line).contains("*3\r\n"), "\(line)")
            }
        }
    }
}
