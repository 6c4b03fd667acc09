import Journal
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

@Suite("WAIT for what the region's Redis has lost", .serialized) struct WaitForLostTests {
    private static let journal = JournalName.voice(tenant: "101", origin: "us-east")

    /// Runs `body` with a port whose only peer is this one, and a client that has written an event, whose ID it is given.
    private static func with(
        _ peer: any PeerCopies,
        _ body: @escaping @Sendable (WritingPort, RedisConnection, String) async throws -> Void
    ) async throws {
        try await WritingPort.with(peers: [peer]) { port in
            let client = try await port.client()
            let id = try await client.say("XADD", "voice:101", "*", "event", "EventHeld", "key", "c", "data", "{}")
            try await body(port, client, id)
            await client.close()
        }
    }

    @Test("who waits without end is told so")
    func lostWhileWaiting() async throws {
        try await Self.with(Nothing(region: "eu-west")) { port, client, _ in
            _ = try await port.server.send(RedisCommand("DEL", Self.journal.key))
            #expect(try await client.say("WAIT", "1", "10", blocking: .seconds(60)) == "0")
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)).hasPrefix("(STALE "))
        }
    }

    @Test("it is not said to be held because something later is; what was trimmed is")
    func noticesLoss() async throws {
        try await Self.with(Everything(region: "eu-west")) { port, client, id in
            #expect(try await client.say("WAIT", "1", "0") == "1")
            _ = try await port.server.send(RedisCommand("DEL", Self.journal.key))
            #expect(try await client.say("WAIT", "1", "0").hasPrefix("(STALE "))
            _ = try await port.server.send(RedisCommand("HSET", Self.journal.metaKey, "floor", id))
            #expect(try await client.say("WAIT", "1", "0") == "1")
        }
    }

    @Test("what left a journal that got a new mark since is not said to be held: it may have been lost before")
    func reborn() async throws {
        try await Self.with(Everything(region: "eu-west")) { port, client, unmarked in
            let meta = Self.journal.metaKey
            func set(_ fields: String...) async throws {
                _ = try await port.server.send(RedisCommand(["HSET", meta] + fields))
            }
            // A mark that is drawn first is no other mark.
            _ = try await port.server.send(RedisCommand("DEL", Self.journal.key))
            try await set("birth", "a", "floor", unmarked)
            #expect(try await client.say("WAIT", "1", "0") == "1")
            for (index, once) in [[], ["ONCE", "x"]].enumerated() {
                let id = try await client.say(
                    words: ["XADD", "voice:101", "*"] + once + ["event", "EventHeld", "key", "c", "data", "{}"])
                #expect(try await client.say("WAIT", "1", "0") == "1")
                _ = try await port.server.send(RedisCommand("XTRIM", Self.journal.key, "MAXLEN", "0"))
                try await set("floor", id)
                #expect(try await client.say("WAIT", "1", "0") == "1")
                try await set("birth", "b\(index)")
                #expect(try await client.say("WAIT", "1", "0").hasPrefix("(STALE "))
            }
        }
    }

    @Test("what cannot be looked for, since Redis is away, is not said to be held, whatever peers say")
    func unknownIsNotHeld() async throws {
        try await Self.with(Everything(region: "eu-west")) { port, client, _ in
            #expect(try await client.say("WAIT", "1", "0") == "1")
            await port.redis.kill()
            #expect(try await client.say("WAIT", "1", "0").hasPrefix("(UNAVAILABLE "))
            // Its Redis begins empty: what was written is nowhere.
            try await port.redis.start()
            try await port.until("it is looked for") {
                try await !client.say("WAIT", "1", "0").hasPrefix("(UNAVAILABLE ")
            }
            #expect(try await client.say("WAIT", "1", "0").hasPrefix("(STALE "))
        }
    }
}

/// A peer that never gets anything.
private struct Nothing: PeerCopies {
    let region: String

    func holds(_ entries: [JournalName: EntryID]) async -> Bool {
        try? await Task.sleep(for: .seconds(3600))
        return false
    }

    func areWhole(upTo entries: [JournalName: EntryID]) async -> Bool { false }
}
