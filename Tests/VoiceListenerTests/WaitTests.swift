import Journal
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import Mirror
@testable import VoiceListener

@Suite("WAIT on the voice port", .serialized) struct WaitTests {
    @Test("it is answered when the peer has everything, and the peer has it then")
    func waits() async throws {
        try await WaitingRegions.with { regions in
            let client = try await regions.port.client()
            for _ in 0..<50 {
                let id = try await regions.append(through: client)
                let count = try await client.say("WAIT", "1", "0", blocking: .seconds(60))
                #expect(count == "1")
                #expect(try await regions.isThere(id))
            }
            // More than there are cannot hold it.
            #expect(try await client.say("WAIT", "2", "0", blocking: .seconds(60)) == "1")
            await client.close()
        }
    }

    @Test("more tenants than a connection is remembered for are refused, for as long as it lasts")
    func tooManyTenants() async throws {
        try await WritingPort.with { port in
            let tenants = 1001...1001 + WrittenEntries.limit
            _ = try await port.server.send(RedisCommand(["SADD", "rs:{_}:tenants"] + tenants.map { "\($0)" }))
            let client = try await port.client()
            func append(_ tenants: [Int]) async throws {
                let events = tenants.map { tenant in
                    RedisCommand("XADD", "voice:\(tenant)", "*", "event", "EventHeld", "key", "c", "data", "{}")
                }
                for answer in await client.pipeline(events) { _ = try answer.get() }
            }
            try await append(Array(tenants.dropLast()))
            #expect(try await client.say("WAIT", "0", "0") == "0")
            try await append([tenants.upperBound])
            #expect(try await client.say("WAIT", "0", "0").hasPrefix("(LIMIT "))
            let other = try await port.client()
            #expect(try await other.say("WAIT", "0", "0") == "0")
            await client.close()
            await other.close()
        }
    }

    @Test("while the peer does not answer, it gives up in time; of other connections' events it knows nothing")
    func givesUp() async throws {
        try await WaitingRegions.with { regions in
            let client = try await regions.port.client()
            _ = try await regions.append(through: client)
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            await regions.peer.pause()
            let id = try await regions.append(through: client)
            #expect(try await client.say("WAIT", "0", "0") == "0")
            #expect(try await client.say("WAIT", "1", "50", blocking: .seconds(60)) == "0")
            let other = try await regions.port.client()
            #expect(try await other.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            await regions.peer.resume()
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            #expect(try await regions.isThere(id))
            #expect(try await client.say("WAIT", "0", "0") == "1")
            await client.close()
            await other.close()
        }
    }

    @Test("a peer that was down, and has lost all, is waited for until it has everything again")
    func outlastsCut() async throws {
        try await WaitingRegions.with { regions in
            let client = try await regions.port.client()
            _ = try await regions.append(through: client)
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            await regions.peer.kill()
            let id = try await regions.append(through: client)
            async let count = client.say("WAIT", "1", "0", blocking: .seconds(60))
            try await regions.port.until("somebody waits") { await !regions.link.awaited.isEmpty }
            try await regions.peer.start()
            #expect(try await count == "1")
            #expect(try await regions.isThere(id))
            await client.close()
        }
    }

    @Test("what was trimmed before a peer had it is not said to be held there, nor waited for; what comes later is")
    func trimmedBefore() async throws {
        try await WaitingRegions.with { regions in
            let (client, other) = (try await regions.port.client(), try await regions.port.client())
            _ = try await regions.append(through: client)
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            await regions.peer.kill()
            let id = try await regions.append(through: client)
            async let count = client.say("WAIT", "1", "0", blocking: .seconds(60))
            try await regions.port.until("somebody waits") { await !regions.link.awaited.isEmpty }
            try await regions.trim(through: id)
            try await regions.peer.start()
            // Nothing behind it comes: without the gap it would be waited for until then.
            #expect(try await count == "0")
            _ = try await regions.append(through: other)
            #expect(try await other.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "0")
            #expect(try await !regions.isThere(id))
            await client.close()
            await other.close()
        }
    }

    @Test("what was trimmed between two reads is no more said to be held than what was trimmed while the link was down")
    func trimmedBetween() async throws {
        try await WaitingRegions.with { regions in
            let client = try await regions.port.client()
            let first = try await regions.append(through: client)
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            let journal = JournalName.voice(tenant: "101", origin: "us-east")
            // Added and trimmed in one, so that nobody reads it.
            let lost = try #require(EntryID(first).map { EntryID(first: $0.first + 1_000, second: 0) })
            let commands = [
                RedisCommand("MULTI"), RedisCommand("XADD", journal.key, lost.description, "event", "EventHeld"),
                RedisCommand("XTRIM", journal.key, "MAXLEN", "0"),
                RedisCommand("HSET", journal.metaKey, "floor", lost.description), RedisCommand("EXEC"),
            ]
            for answer in await regions.port.server.pipeline(commands) { _ = try answer.get() }
            _ = try await regions.append(through: client)
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            #expect(await !regions.link.areWhole(upTo: [journal: lost]))
            try await regions.port.until("the gap is found") { await !regions.link.holds([journal: lost]) }
            #expect(await !regions.link.areWhole(upTo: [journal: lost]))
            await client.close()
        }
    }

    @Test("what was trimmed when the peer had it is held, as soon as that is counted")
    func trimmedBehind() async throws {
        try await WaitingRegions.with { regions in
            let client = try await regions.port.client()
            let id = try await regions.append(through: client)
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            try await regions.trim(through: id)
            try await regions.port.until("it is counted") {
                try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "1"
            }
            #expect(try await regions.isThere(id))
            await client.close()
        }
    }

    @Test("a link that ends and runs again is waited for meanwhile; what the peer lacks for good is known still")
    func outlastsRuns() async throws {
        try await WaitingRegions.with(running: false) { regions in
            let (client, other) = (try await regions.port.client(), try await regions.port.client())
            let first = Task { await regions.link.run() }
            defer { first.cancel() }
            _ = try await regions.append(through: client)
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            await regions.peer.kill()
            let lost = try await regions.append(through: client)
            try await regions.trim(through: lost)
            try await regions.peer.start()
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "0")
            _ = try await regions.append(through: other)
            #expect(try await other.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            first.cancel()
            await first.value
            let journal = JournalName.voice(tenant: "101", origin: "us-east")
            #expect(await regions.link.acknowledged(of: journal) == nil)

            // What it had said before may not be so any more.
            #expect(try await other.say("WAIT", "1", "50", blocking: .seconds(60)) == "0")
            async let count = other.say("WAIT", "1", "0", blocking: .seconds(60))
            try await regions.port.until("somebody waits") { await !regions.link.awaited.isEmpty }
            let second = Task { await regions.link.run() }
            defer { second.cancel() }
            #expect(try await count == "1")
            #expect(try await client.say("WAIT", "1", "0", blocking: .seconds(60)) == "0")
            let id = try await regions.append(through: other)
            #expect(try await other.say("WAIT", "1", "0", blocking: .seconds(60)) == "1")
            #expect(try await regions.isThere(id))
            second.cancel()
            await second.value
            await client.close()
            await other.close()
        }
    }

    @Test("what the link was not told of yet is not held; it is when it is told")
    func unknownJournal() async throws {
        try await WaitingRegions.with { regions in
            let client = try await regions.port.client()
            _ = try await regions.append(through: client)
            _ = try await regions.append(through: client, tenant: 102)
            #expect(try await client.say("WAIT", "1", "50", blocking: .seconds(60)) == "0")
            async let count = client.say("WAIT", "1", "0", blocking: .seconds(60))
            try await regions.port.until("somebody waits") { await !regions.link.awaited.isEmpty }
            await regions.link.mirror([.voice(tenant: "102", origin: "us-east")])
            #expect(try await count == "1")
            await client.close()
        }
    }

    @Test("nothing is left of who has gone while it waited, or of what it wrote")
    func forgets() async throws {
        try await WaitingRegions.with { regions in
            let client = try await regions.port.client()
            _ = try await regions.append(through: client)
            await regions.peer.pause()
            _ = try await regions.append(through: client)
            let waiting = Task { try await client.say("WAIT", "1", "0", blocking: .seconds(60)) }
            try await regions.port.until("somebody waits") { await !regions.link.awaited.isEmpty }
            await client.close()
            try await regions.port.until("nobody does") { await regions.link.awaited.isEmpty }
            await #expect(throws: RedisError.closed) { try await waiting.value }
            #expect(await regions.link.waiting.isEmpty)
            await regions.peer.resume()
        }
    }

    @Test(
        "what is not written as Redis has it is refused in its words",
        arguments: [
            ("x 0", "(ERR value is not an integer or out of range)"),
            ("-1 0", "(ERR value is not an integer or out of range)"),
            ("1 x", "(ERR timeout is not an integer or out of range)"), ("1 -1", "(ERR timeout is negative)"),
            ("1", "(ERR wrong number of arguments for 'wait' command)"), ("1 0", "0"),
        ])
    func refuses(said: String, answer: String) async throws {
        try await WritingPort.with { port in
            let client = try await port.client()
            let words = ["WAIT"] + said.split(separator: " ").map(String.init)
            #expect(try await client.say(words: words) == answer)
            await client.close()
        }
    }
}
