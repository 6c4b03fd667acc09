import Journal
import PortFixtures
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener
@testable import Worker

@Suite("Looks at journals", .serialized) struct StreamLookTests {
    private static let journal = JournalName.voice(tenant: "101", origin: "us-east")

    private static func facts(_ port: ReadingPort, behind last: UInt64) async -> StreamFacts? {
        let cursor = JournalCursor(journal, behind: EntryID(first: last, second: 0))
        let looks = await StreamReading(store: PromptRedisStore(client: port.server)).look(at: [cursor])
        guard case .facts(let facts)? = looks.first?.look else { return nil }
        return facts
    }

    @Test("the last entry that is known is there, or gone with those behind it; not where it was trimmed or deleted")
    func ends() async throws {
        try await ReadingPort.with { port in
            for id in [1, 2, 5] { try await port.append(id) }
            let whole = await Self.facts(port, behind: 5)
            #expect(whole?.hasLast == true && whole?.survivor == nil)
            #expect(whole?.generated == EntryID(first: 5, second: 0) && whole?.first == EntryID(first: 1, second: 0))
            let new = await Self.facts(port, behind: 0)
            #expect(new?.hasLast == false && new?.survivor == nil)

            try await port.tell("XDEL", ReadingPort.key, "5-0")
            let deleted = await Self.facts(port, behind: 5)
            #expect(deleted?.hasLast == false && deleted?.survivor == nil)

            try await port.tell("DEL", ReadingPort.key)
            for id in [1, 2, 9] { try await port.append(id) }
            let lost = await Self.facts(port, behind: 5)
            #expect(lost?.hasLast == false && lost?.survivor == EntryID(first: 2, second: 0))
            #expect(lost?.generated == EntryID(first: 9, second: 0))

            try await port.tell("HSET", Self.journal.metaKey, "floor", "5-0")
            #expect(await Self.facts(port, behind: 5)?.survivor == nil)
        }
    }

    @Test("Redis comes back without the newest entries, and has others already: who waits behind them is told")
    func setBack() async throws {
        try await ReadingPort.with { port in
            let client = try port.client()
            for id in 1...3 { try await port.append(id) }
            let end = try await port.redis.appendOnlyEnd
            for id in 3...4 {
                client.send("XREAD BLOCK 0 STREAMS \(ReadingPort.name) \(id)")
                try await port.untilWaiting(1)
                try await port.append(id + 1)
                let entry = "$1\r\nn\r\n$1\r\n\(id + 1)\r\n"
                #expect(await client.hear(until: entry).hasSuffix(entry))
            }
            client.send("XREAD BLOCK 0 STREAMS \(ReadingPort.name) 5")
            try await port.untilWaiting(1)
            try await port.redis.restart(cutAt: end, adding: [["XADD", ReadingPort.key, "9-0", "n", "9"]])
            #expect(await client.hear(until: "\r\n").hasPrefix("-STALE 1-0 is the first entry of "))
            let late = try port.client()
            #expect(await late.say("XREAD BLOCK 0 STREAMS \(ReadingPort.name) 4").hasPrefix("-STALE "))
        }
    }
}
