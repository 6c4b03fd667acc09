import PortFixtures
import RESPServer
import Testing

@testable import VoiceListener

@Suite("Turns of reads for clients of the voice port", .timeLimit(.minutes(5))) struct VoiceTurnsTests {
    private static let name = ReadingPort.name
    /// How the entry ends that `append(1)` makes.
    private static let entry = "$1\r\nn\r\n$1\r\n1\r\n"

    private static func takeAll(_ turns: ReadingTurns) async {
        for _ in 0..<VoiceFeed.readersAtOnce { #expect(await turns.take()) }
    }

    @Test("Whatever reads entries in Redis waits for a turn, and passes it on")
    func all() async throws {
        try await ReadingPort.with { port in
            try await port.append(1)
            try await port.tell("XGROUP", "CREATE", ReadingPort.key, "g", "0")
            try await port.tell("XGROUP", "CREATE", ReadingPort.key, "h", "0")
            let turns = port.feed.turns
            await Self.takeAll(turns)
            for line in [
                "XREAD STREAMS \(Self.name) 0", "XREAD BLOCK 0 STREAMS \(Self.name) 0",
                "XREAD BLOCK 600000 STREAMS \(Self.name) 0", "XREADGROUP GROUP g c STREAMS \(Self.name) >",
                "XREADGROUP GROUP h c BLOCK 0 STREAMS \(Self.name) >", "XREADGROUP GROUP g c STREAMS \(Self.name) 0",
                "XRANGE \(Self.name) - +", "XREVRANGE \(Self.name) + -", "XCLAIM \(Self.name) g d 0 1-0",
                "XAUTOCLAIM \(Self.name) g e 0 0",
            ] {
                let client = try port.client()
                client.send(line)
                try await port.until("\(line) waits") { turns.waitingCount == 1 }
                turns.pass()
                let heard = await client.hear(until: Self.entry)
                #expect(heard.hasPrefix("*") && heard.hasSuffix(Self.entry), "\(line)")
                #expect(await turns.take())
            }
        }
    }

    @Test("A client that waits for entries has no turn, and is told of one though all are taken")
    func blocked() async throws {
        try await ReadingPort.with { port in
            let client = try port.client()
            client.send("XREAD BLOCK 0 STREAMS \(Self.name) 0")
            try await port.untilWaiting(1)
            await Self.takeAll(port.feed.turns)
            try await port.append(1)
            #expect(await client.hear(until: Self.entry).hasPrefix("*1\r\n"))
        }
    }

    @Test("Whose time is up before its turn comes gets nothing, and who is gone does not keep the turn")
    func late() async throws {
        try await ReadingPort.with { port in
            try await port.append(1)
            let turns = port.feed.turns
            await Self.takeAll(turns)
            let client = try port.client()
            client.send("XREAD BLOCK 10 STREAMS \(Self.name) 0")
            #expect(await client.hears("*-1\r\n"))
            #expect(turns.waitingCount == 0)
            var leaving = try [port.client()]
            leaving[0].send("XREAD BLOCK 0 STREAMS \(Self.name) 0")
            try await port.until("it waits") { turns.waitingCount == 1 }
            leaving.removeAll()
            try await port.until("nobody waits any more") { port.feed.size.clients == 0 }
            turns.pass()
            client.send("XREAD BLOCK 600000 STREAMS \(Self.name) 0")
            #expect(await client.hear(until: Self.entry).hasPrefix("*1\r\n"))
        }
    }

    @Test(
        "A read without BLOCK waits for no turn once its client is gone: it would read, or take from its group, for nobody",
        arguments: ["XREAD STREAMS \(name) 0", "XREADGROUP GROUP g c STREAMS \(name) >"])
    func gone(line: String) async throws {
        try await ReadingPort.with { port in
            try await port.append(1)
            try await port.tell("XGROUP", "CREATE", ReadingPort.key, "g", "0")
            let turns = port.feed.turns
            await Self.takeAll(turns)
            let staying = try port.client()
            staying.send(line)
            try await port.until("it waits") { turns.waitingCount == 1 }
            var leaving = try [port.client()]
            leaving[0].send(line)
            try await port.until("both wait") { turns.waitingCount == 2 }
            leaving.removeAll()
            try await port.until("one waits") { turns.waitingCount == 1 }
            turns.pass()
            // Who came first would be told first that no turn came.
            let heard = await staying.hear(until: Self.entry)
            #expect(heard.hasPrefix("*1\r\n") && heard.hasSuffix(Self.entry))
        }
    }

    @Test("A consumer whose turn does not come, or comes when it is gone, leaves what it was woken for to its group")
    func consumers() {
        var talk = FeedTalk()
        let (first, second) = (talk.join("a", "g", "eu"), talk.join("b", "g", "eu", until: .seconds(5)))
        let third = talk.join("c", "g", "eu", until: .seconds(9))
        talk.look(["eu": StreamFacts(5)])
        for waiter in [first, second, third] { talk.machine.foundNothing(for: waiter) }
        talk.reader = talk.machine.readers.keys.first ?? 0
        _ = talk.cursors(talk.reader)
        _ = talk.wanted()
        talk.read("eu", behind: 5, 6)
        #expect(talk.wanted() == ["read \(first) for a: eu 5-0"])
        talk.machine.cancelled(first)
        let looksForGone = talk.machine.turnCame(for: first)
        #expect(!looksForGone)
        #expect(talk.wanted() == ["a: _", "read \(second) for b: eu 5-0", "read \(third) for c: eu 5-0"])
        // Whose time is up gets what there is when its turn comes, and nothing where that does not.
        talk.machine.reached(.seconds(9))
        let looksForLate = talk.machine.turnCame(for: second)
        #expect(looksForLate)
        talk.machine.turnMissed(by: third)
        #expect(talk.wanted() == ["c: _"])
        let looksForNobody = talk.machine.turnCame(for: third)
        #expect(!looksForNobody)
        talk.machine.cancelled(second)
        let looksForLateAndGone = talk.machine.turnCame(for: second)
        #expect(!looksForLateAndGone)
        #expect(talk.wanted() == ["b: _"])
    }
}
