import NIOCore
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

@Suite("Order of what the voice port sends") struct FeedOrderTests {
    private static let count = 100

    @Test("who watches gets all in order, and behind it that the watch has ended, while others ask and are answered")
    func ordered() async throws {
        try await ReadingPort.with { port in
            let watchers = try (0..<10).map { _ in try port.client() }
            for watcher in watchers {
                _ = await watcher.say("HELLO 3")
                #expect(await watcher.say("VOICE.WATCH 101").hasPrefix("%2"))
            }
            async let here: Void = Self.append(to: ReadingPort.key, of: port)
            async let there: Void = Self.append(to: "rs:{101}:voice:eu-west", of: port)
            try await withThrowingTaskGroup(of: Void.self) { readers in
                for name in [ReadingPort.name, "voice:101@eu-west"] {
                    for _ in 0..<10 { readers.addTask { try await Self.follow(name, at: port) } }
                }
                try await readers.waitForAll()
            }
            _ = try await (here, there)
            for watcher in watchers {
                let heard = await watcher.say("VOICE.UNWATCH 1")
                #expect(heard.hasSuffix("+OK\r\n"))
                for region in ["us-east", "eu-west"] {
                    #expect(Self.ids(in: heard, of: region) == Array(1...Self.count), "\(region)")
                }
            }
        }
    }

    private static func append(to key: String, of port: ReadingPort) async throws {
        for id in 1...count { try await port.append(id, to: key) }
    }

    /// Reads entry by entry up to the last.
    private static func follow(_ name: String, at port: ReadingPort) async throws {
        let client = try port.client()
        for id in 0..<count {
            client.send("XREAD COUNT 1 BLOCK 60000 STREAMS \(name) \(id)")
            let end = "$1\r\nn\r\n$\("\(id + 1)".utf8.count)\r\n\(id + 1)\r\n"
            #expect(await client.hear(until: end).hasSuffix(end))
        }
    }

    /// IDs of the events of a region, in the order in which they came.
    private static func ids(in text: String, of region: String) -> [Int] {
        let lines = text.split(separator: "\r\n")
        return lines.indices.compactMap { index in
            guard lines[index] == "voice", index + 5 < lines.endIndex, lines[index + 3] == region else { return nil }
            return Int(lines[index + 5].dropLast(2))
        }
    }
}
