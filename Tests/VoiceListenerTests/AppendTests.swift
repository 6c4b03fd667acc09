import NIOCore
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

@Suite("XADD on the voice port") struct AppendTests {
    private static let key = "rs:{101}:voice:us-east"

    @Test("an event is appended as it came, under the ID that is answered")
    func appends() async throws {
        try await WritingPort.with { port in
            let client = try await port.client()
            let id = try await client.say(
                "XADD", "voice:101", "*", "key", "c1", "event", "EventRinging", "data", #"{"ThisDN":"1"}"#, "more",
                "\u{0}")
            let entry = try await port.server.send(RedisCommand("XRANGE", Self.key, id, id))
            let fields = entry[0]?[1]?.elements.compactMap(\.string)
            #expect(fields == ["key", "c1", "event", "EventRinging", "data", #"{"ThisDN":"1"}"#, "more", "\u{0}"])
            let next = try await client.say(
                "XADD", "voice:Acme@us-east", "*", "event", "EventAgentReady", "key", "A1", "data", "{}")
            #expect(try await port.stream("rs:{103}:voice:us-east").contains(next))
            await client.close()
        }
    }

    @Test("another region's events are not written, and tenants that the account does not see are not there")
    func refusesOthers() async throws {
        try await WritingPort.with(peers: [Everything(region: "eu-west")]) { port in
            let client = try await port.client("desk")
            for stream in ["voice:102", "voice:Acme", "voice:nobody", "voice:102@eu-west"] {
                let answer = try await client.say("XADD", stream, "*", "event", "EventHeld", "key", "c", "data", "{}")
                #expect(answer == "(NOTENANT no such tenant)")
            }
            let copy = try await client.say(
                "XADD", "voice:101@eu-west", "*", "event", "EventHeld", "key", "c", "data", "{}")
            #expect(copy.hasPrefix("(READONLY "))
            for stream in ["voice:101@mars", "voice:102@mars"] {
                let nowhere = try await client.say("XADD", stream, "*", "event", "EventHeld", "key", "c", "data", "{}")
                #expect(nowhere.hasPrefix("(NOTFOUND no such stream"))
            }
            let reader = try await port.client("pulse")
            let answer = try await reader.say("XADD", "voice:101", "*", "event", "EventHeld", "key", "c", "data", "{}")
            #expect(answer.hasPrefix("(NOPERM "))
            #expect(try await port.server.send(RedisCommand("EXISTS", Self.key)).integer == 0)
            await client.close()
            await reader.close()
        }
    }

    @Test("what is appended once has one entry and one ID, for a day; anything else under its key is refused")
    func once() async throws {
        try await WritingPort.with { port in
            let client = try await port.client()
            func event(_ once: String, _ data: String = "{}") -> [String] {
                ["XADD", "voice:101", "*", "ONCE", once, "event", "EventHeld", "key", "c", "data", data]
            }
            let first = try await client.say(words: event("k1"))
            // As after an answer that was lost.
            let other = try await port.client()
            _ = try await port.server.send(RedisCommand("FUNCTION", "FLUSH"))
            #expect(try await other.say(words: event("k1")) == first)
            let conflict = try await other.say(words: event("k1", #"{"ThisDN":"1"}"#))
            #expect(conflict == "(CONFLICT something else was asked for under this key)")
            #expect(try await other.say(words: event("k1") + ["more", "v"]).hasPrefix("(CONFLICT "))
            #expect(try await other.say("CALL.HOLD", "101", "1001", "c", "ONCE", "k1").hasPrefix("(CONFLICT "))
            _ = try await other.say("CALL.HOLD", "101", "1001", "c", "ONCE", "k2")
            #expect(try await other.say(words: event("k2")).hasPrefix("(CONFLICT "))
            let second = try await other.say(words: event("k3"))
            #expect(!second.hasPrefix("(") && second != first)
            // Another account's keys are others.
            let desk = try await port.client("desk")
            let third = try await desk.say(words: event("k1", #"{"ThisDN":"1"}"#))
            let entries = try await port.server.send(RedisCommand("XRANGE", Self.key, "-", "+"))
            #expect(entries.elements.compactMap { $0[0]?.string } == [first, second, third])
            #expect(entries[0]?[1]?.elements.compactMap(\.string) == ["event", "EventHeld", "key", "c", "data", "{}"])
            let key = OnceMemory.key("k1", of: "default", tenant: "101", region: "us-east")
            let lifetime = try await port.server.send(RedisCommand("TTL", key)).integer
            #expect((86_000...86_400).contains(lifetime ?? 0))
            for connection in [client, other, desk] { await connection.close() }
        }
    }

    private static let large = String(repeating: "x", count: AppendedEvent.valueBytes)
    private static let longKey = String(repeating: "k", count: AppendedEvent.keyBytes)

    @Test(
        "what is no event is refused",
        arguments: [
            ("voices:101 * event EventHeld key c data {}", "ERR no such stream"),
            ("voice:101 1-1 event EventHeld key c data {}", "ERR expected *"),
            ("voice:101 MAXLEN 5 * event EventHeld key c data {}", "ERR expected *"),
            ("voice:101 * event EventHeld key c data", "ERR wrong number of arguments for 'xadd' command"),
            ("voice:101 * event EventHeld key c", "ERR data: missing"),
            ("voice:101 * event EventHeld data {}", "ERR key: missing"),
            ("voice:101 * key c data {}", "ERR event: missing"),
            ("voice:101 * event EventHeld key c data {} data {}", "ERR data: given twice"),
            ("voice:101 * event EventBogus key c data {}", "ERR event: no event"),
            ("voice:101 * event Restated key c data {}", "ERR event: no event"),
            ("voice:101 * event EventHeld key  data {}", "ERR key: expected"),
            ("voice:101 * ONCE k event EventHeld key c data", "ERR wrong number of arguments for 'xadd' command"),
            ("voice:101 * ONCE k", "ERR event: missing"), ("voice:101 * ONCE", "ERR ONCE: expected a key"),
            ("voice:101 * ONCE  event EventHeld key c data {}", "ERR ONCE: expected a key of 1 to 128 bytes"),
            ("voice:101 * event EventHeld key c data {} ONCE k", "ERR ONCE: expected directly behind *"),
            ("voice:101 * once k once k event EventHeld key c data {}", "ERR ONCE: expected directly behind *"),
            ("voice:101 * event EventHeld key c data []", "ERR data: expected a JSON object"),
            ("voice:101 * event EventHeld key c data {\"a\":}", "ERR data: expected a JSON object"),
            ("voice:101 * event EventHeld key c data {\"a\":\"\(large)\"}", "LIMIT data: 65536 bytes at most"),
            ("voice:101 * event EventHeld key c data {} more \(large)x", "LIMIT a field may have"),
            ("voice:101 * event EventHeld key \(longKey)k data {}", "ERR key: expected 1 to 256 bytes of UTF-8"),
            ("voice:101 * event EventHeld key c data {} \(longKey)k v", "LIMIT a field may have"),
        ])
    func refuses(said: String, error: String) throws {
        let words = ["XADD"] + said.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        let request = Request(bytes: words.map { Array($0.utf8) })
        let refusal = #expect(throws: ReplyError.self) { try AppendedEvent(request) }
        #expect(refusal?.description.hasPrefix(error) == true, "\(refusal?.description ?? "none")")
    }

    @Test("sixteen further fields are taken, not one more; data as large as it may be; keys of any UTF-8")
    func takesWhatItMay() throws {
        let event = ["XADD", "voice:101", "*", "event", "EventHeld", "key", "ü", "data", "{}"]
        let fields = (0..<17).flatMap { ["f\($0)", "v"] }
        let most = Request(bytes: (event + fields.dropLast(2)).map { Array($0.utf8) })
        #expect(try AppendedEvent(most).words.count == 6 + 32)
        let tooMany = Request(bytes: (event + fields).map { Array($0.utf8) })
        let refusal = #expect(throws: ReplyError.self) { try AppendedEvent(tooMany) }
        #expect(refusal?.code == "LIMIT")
        let data = #"{"a":""# + String(repeating: "x", count: AppendedEvent.valueBytes - 8) + #""}"#
        let large = Request(bytes: (event.dropLast() + [data]).map { Array($0.utf8) })
        #expect(try AppendedEvent(large).words.count == 6)
        let key = Self.longKey
        let long = ["XADD", "voice:101", "*", "event", "EventHeld", "key", key, "data", "{}", key, Self.large]
        #expect(try AppendedEvent(Request(bytes: long.map { Array($0.utf8) })).words.count == 8)
    }

    @Test("a Redis that is full, read-only or away says so at once, and is written to when it is not")
    func redisRefuses() async throws {
        try await WritingPort.with { port in
            let client = try await port.client()
            func append(_ once: String...) async throws -> String {
                let event = ["event", "EventHeld", "key", "c", "data", "{}"]
                return try await client.say(words: ["XADD", "voice:101", "*"] + once + event)
            }
            _ = try await append("ONCE", "k0")
            _ = try await port.server.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            var answer = try await append()
            #expect(answer.hasPrefix("(UNAVAILABLE ") && answer.contains("OOM"))
            answer = try await append("ONCE", "k")
            #expect(answer.hasPrefix("(UNAVAILABLE ") && answer.contains("OOM"))
            _ = try await port.server.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            _ = try await port.server.send(RedisCommand("REPLICAOF", "127.0.0.1", "1"))
            let refusal = "(UNAVAILABLE the region's Redis takes no writes now, so this was not done)"
            #expect(try await append() == refusal)
            #expect(try await append("ONCE", "k") == refusal)
            #expect(try await client.say("CALL.HOLD", "101", "1001", "c") == refusal)
            _ = try await port.server.send(RedisCommand("REPLICAOF", "NO", "ONE"))
            await port.redis.kill()
            let notDone = "(UNAVAILABLE the region's Redis does not answer, so this was not done)"
            try await port.until("it is noticed") { try await append() == notDone }
            #expect(try await append("ONCE", "k") == notDone)
            #expect(try await client.say("CALL.HOLD", "101", "1001", "c") == notDone)
            try await port.redis.start()
            try await port.until("it is back") { try await append().hasSuffix("-0") }
            await client.close()
        }
    }
}
