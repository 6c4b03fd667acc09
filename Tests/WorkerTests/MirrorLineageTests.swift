import Journal
import Mirror
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing

private let durable = ["appendonly yes", "appendfsync always"]
private let journal = TwoRegions.journal
private let closedKey = TwoRegions.journal.closedKey(1)

/// Runs with one journal mirrored, so that the counters are its own.
private func withRegions(
    settings: [String] = durable, of journal: JournalName = journal, _ body: (TwoRegions) async throws -> Void
) async throws {
    try await TwoRegions.run(settings: settings, mirroring: [journal], body)
}

extension TwoRegions {
    fileprivate func forks(_ cause: String) -> UInt64 { metrics.counter(.mirrorForks, [.cause: cause]).value }
    fileprivate func lost(_ cause: String) -> UInt64 { metrics.counter(.mirrorLost, [.cause: cause]).value }
    fileprivate var healed: UInt64 { metrics.counter(.mirrorHealed).value }

    /// Writes so many entries and waits until the copy has them.
    fileprivate func writeAndCopy(_ count: Int, label: String) async throws {
        let client = try await client(of: east)
        let ids = try await write(count, through: client, label: label)
        try await waitForCopy(ids.last)
        await client.close()
    }
}

@Suite("Mirror lineage between two real Redis servers", .serialized)
struct MirrorLineageTests {
    @Test("a source that lost its tail gets it back from the copy, as it was, and goes on")
    func heals() async throws {
        try await withRegions { regions in
            try await regions.writeAndCopy(100, label: "a")
            let end = try await regions.east.appendOnlyEnd
            try await regions.writeAndCopy(1_500, label: "b")
            let before = try await regions.contents(of: regions.west)
            let birth = try await regions.ask(regions.west, "HGET", journal.metaKey, "birth").string
            try await regions.east.restart(cutAt: end)
            try await regions.until { try await regions.contents(of: regions.east) == before }
            try await regions.writeAndCopy(100, label: "c")
            try await regions.untilEqual()
            #expect(regions.healed == 1_500)
            #expect(regions.log.count("A journal lost entries and got them back from its copy") > 0)
            #expect(try await regions.ask(regions.east, "HGET", journal.metaKey, "birth").string == birth)
            #expect(try await regions.ask(regions.west, "EXISTS", closedKey).integer == 0)
            #expect(regions.states.state(of: "mirror west closed copies") == nil)
        }
    }

    @Test("a tail that the copy has trimmed is lost, and nothing is said to have come back")
    func healsNothing() async throws {
        try await withRegions { regions in
            try await regions.writeAndCopy(100, label: "a")
            let end = try await regions.east.appendOnlyEnd
            try await regions.writeAndCopy(50, label: "b")
            let client = try await regions.client(of: regions.west)
            let meta = try await client.send(RedisCommand("HMGET", journal.metaKey, "birth", "last"))
            let birth = try #require(meta[0]?.string)
            let last = try #require(meta[1]?.string.flatMap { EntryID($0) })
            let minimum = EntryID(first: last.first + 1, second: 0)
            _ = try await client.send(JournalFunctions.trim(journal, minimum: minimum, birth: birth))
            try await regions.east.restart(cutAt: end)
            try await regions.until { regions.lost("tail-lost") == 50 }
            try await regions.writeAndCopy(10, label: "c")
            #expect(regions.healed == 0)
            #expect(regions.log.count("A journal lost entries and got them back from its copy") == 0)
            await client.close()
        }
    }

    @Test("healing that is cut off again and again goes on where it was")
    func healsInPieces() async throws {
        try await withRegions { regions in
            try await regions.writeAndCopy(10, label: "a")
            let end = try await regions.east.appendOnlyEnd
            try await regions.writeAndCopy(8_000, label: "b")
            let before = try await regions.contents(of: regions.west)
            try await regions.east.restart(cutAt: end)
            var progress: Int64 = 10
            var cuts = 0  // it must come to its end some time, however slow it is
            try await regions.until {
                let length = try await regions.ask(regions.east, "XLEN", journal.key).integer ?? 0
                if length > progress, length < 8_010, cuts < 10 {
                    progress = length
                    cuts += 1
                    for server in [regions.east, regions.west] {
                        _ = try await regions.ask(server, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                    }
                }
                return length == 8_010
            }
            #expect(try await regions.contents(of: regions.east) == before)
            #expect(try await regions.ask(regions.west, "EXISTS", closedKey).integer == 0)
        }
    }

    @Test("a source that lost its tail and has new entries: the copy is closed with all it had, once and loud")
    func forks() async throws {
        try await withRegions { regions in
            try await regions.writeAndCopy(100, label: "a")
            let end = try await regions.east.appendOnlyEnd
            try await regions.writeAndCopy(50, label: "b")
            let before = try await regions.contents(of: regions.west)
            let birth = try await regions.ask(regions.west, "HGET", journal.metaKey, "birth").string
            let last = try #require(try await regions.ask(regions.west, "HGET", journal.metaKey, "last").string)
            let new = try #require(EntryID(last)).first + 100_000
            try await regions.east.restart(cutAt: end, adding: [["XADD", journal.key, "\(new)-1", "n", "new"]])
            try await regions.until { regions.forks("cursor-missing") == 1 }
            try await regions.untilEqual()
            #expect(try await regions.ask(regions.east, "XLEN", journal.key).integer == 101)
            #expect(try await regions.contents(of: regions.west, key: closedKey) == before)
            let closed = try await regions.ask(regions.west, "HMGET", closedKey + ":meta", "birth", "last", "closed")
            #expect(closed.elements.map(\.string) == [birth, last, "cursor-missing"])
            #expect(regions.lost("cursor-missing") == 50)
            let own = try await regions.ask(regions.east, "HGET", journal.metaKey, "birth").string
            let other = try await regions.ask(regions.west, "HGET", journal.metaKey, "birth").string
            #expect(own == other && own != birth)
            try await alarmsOnce(regions)
        }
    }

    /// The alarm of one fork: counted once though the link is cut, shown until the closed copy was deleted.
    private func alarmsOnce(_ regions: TwoRegions) async throws {
        let component = "mirror west closed copies"
        #expect(regions.states.state(of: component)?.name == "forked-cursor-missing")
        #expect(regions.states.state(of: component)?.reason?.contains(closedKey) == true)
        _ = try await regions.ask(regions.west, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        try await regions.writeAndCopy(10, label: "c")
        #expect(regions.forks("cursor-missing") == 1)
        #expect(regions.states.state(of: component)?.name == "forked-cursor-missing")
        _ = try await regions.ask(regions.west, "DEL", closedKey, closedKey + ":meta")
        try await regions.until { regions.states.state(of: component) == nil }
    }

    @Test(
        "a source that was flushed and written to while connected: old copy closed, new entries copied, lower IDs too")
    func forksFlushed() async throws {
        try await withRegions { regions in
            try await regions.writeAndCopy(100, label: "a")
            let before = try await regions.contents(of: regions.west)
            let last = try #require(try await regions.ask(regions.west, "HGET", journal.metaKey, "last").string)
            _ = try await regions.ask(regions.west, "HSET", "rs:{101}:projection", "voice:east", last)
            let client = try await regions.client(of: regions.east)
            let commands = [
                RedisCommand("MULTI"), RedisCommand("FLUSHALL"), RedisCommand("XADD", journal.key, "5-1", "n", "new"),
                RedisCommand("XADD", journal.key, "5-2", "n", "new"), RedisCommand("EXEC"),
            ]
            for result in await client.pipeline(commands) { _ = try result.get() }
            try await regions.until { regions.forks("born-again") == 1 }
            try await regions.untilEqual()
            #expect(try await regions.ask(regions.west, "XLEN", journal.key).integer == 2)
            #expect(try await regions.contents(of: regions.west, key: closedKey) == before)
            #expect(regions.lost("born-again") == 100)
            // Who comes back with an ID of the former life can be told what is gone, in both regions.
            for server in [regions.east, regions.west] {
                let parted = try await regions.ask(server, "HGET", journal.metaKey, PartedEntries.field).string
                #expect(parted == "0-0 \(last)")
            }
            // The projection there begins anew, and no ID that readers have seen comes again.
            #expect(try await regions.ask(regions.west, "HEXISTS", "rs:{101}:projection", "voice:east").integer == 0)
            let next = try await client.send(RedisCommand("XADD", journal.key, "*", "n", "next")).string
            #expect(try #require(next.flatMap { EntryID($0) }) > #require(EntryID(last)))
            try await regions.waitForCopy(next)
            #expect(regions.forks("born-again") == 1)
            await client.close()
        }
    }

    @Test(
        "a source that is empty, flushed or started without its file, gets back what the copy holds",
        arguments: [true, false])
    func fills(isConnected: Bool) async throws {
        try await withRegions(settings: []) { regions in
            try await regions.writeAndCopy(100, label: "a")
            let before = try await regions.contents(of: regions.west)
            if isConnected {
                _ = try await regions.ask(regions.east, "FLUSHALL")
            } else {
                try await regions.east.restart()
            }
            try await regions.until { try await regions.contents(of: regions.east) == before }
            try await regions.writeAndCopy(10, label: "b")
            try await regions.untilEqual()
            // A reader that finds another history ends the session, and with it may go the answer to a piece that was healed.
            #expect(isConnected ? (1...100).contains(regions.healed) : regions.healed == 100)
            #expect(try await regions.ask(regions.west, "EXISTS", closedKey).integer == 0)
        }
    }

    @Test("what a stream was deleted with comes back; what its copy had trimmed counts as had")
    func fillsDeleted() async throws {
        try await withRegions { regions in
            try await regions.writeAndCopy(100, label: "a")
            let client = try await regions.client(of: regions.west)
            let reply = try await client.send(RedisCommand("XRANGE", journal.key, "-", "+", "COUNT", "31"))
            let minimum = try #require(reply[30]?[0]?.string.flatMap { EntryID($0) })
            let birth = try #require(try await regions.ask(regions.west, "HGET", journal.metaKey, "birth").string)
            _ = try await client.send(JournalFunctions.trim(journal, minimum: minimum, birth: birth))
            _ = try await regions.ask(regions.east, "DEL", journal.key)
            try await regions.until { try await regions.ask(regions.east, "XLEN", journal.key).integer == 70 }
            try await regions.writeAndCopy(10, label: "b")
            try await regions.untilEqual()
            #expect((regions.healed, regions.lost("trimmed")) == (70, 0))
            #expect(try await regions.ask(regions.west, "EXISTS", closedKey).integer == 0)
            await client.close()
        }
    }

    @Test(
        "a provisioning journal that lost its tail gets it back with capture's position, and is never filled from nothing"
    )
    func healsProvisioning() async throws {
        let journal = JournalName.provisioning(origin: "east")
        try await withRegions(of: journal) { regions in
            let client = try await regions.client(of: regions.east)
            _ = try await client.send(JournalFunctions.library.loadCommand)
            _ = try await client.send(JournalFunctions.open(journal, birth: "b"))
            var end: UInt64 = 0
            for number in 1...UInt64(30) {
                let command = try transaction(number, of: journal)
                _ = try await client.send(command)
                guard number == 10 || number == 30 else { continue }
                let last = EntryID(first: Position(history: 1, lsn: number * 10)?.number ?? 0, second: 2)
                try await regions.until { await regions.link.acknowledged(of: journal) == last }
                if number == 10 { end = try await regions.east.appendOnlyEnd }
            }
            await client.close()
            let fields = ["birth", "last", "count", "position"]
            let before = try await regions.ask(
                regions.east, "HMGET", journal.metaKey, "birth", "last", "count", "position")
            try await regions.east.restart(cutAt: end)
            try await regions.until { try await regions.ask(regions.east, "XLEN", journal.key).integer == 60 }
            let after = try await regions.ask(
                regions.east, "HMGET", journal.metaKey, "birth", "last", "count", "position")
            #expect(after.description == before.description, "\(fields)")
            // The server has it before the link hears so.
            try await regions.until { regions.healed == 40 }
            _ = try await regions.ask(regions.east, "FLUSHALL")
            try await regions.until { regions.forks("born-again") == 1 }
            #expect(try await regions.ask(regions.east, "EXISTS", journal.key).integer == 0)
            #expect(try await regions.ask(regions.west, "XLEN", journal.closedKey(1)).integer == 60)
        }
    }

    /// A transaction of one row, as capture appends it.
    private func transaction(_ number: UInt64, of journal: JournalName) throws -> RedisCommand {
        func id(_ number: UInt64, _ ordinal: UInt64) throws -> EntryID {
            try #require(Position(history: 1, lsn: number * 10)).entryID(ordinal: ordinal)
        }
        var builder = EntryBatchBuilder(previous: number == 1 ? .zero : try id(number - 1, 2))
        builder.appendTruncate(type: "person", id: try id(number, 1))
        let end = number * 10 + 5
        builder.append(
            .commit, closing: ProvisioningEntry.Closing(count: 1, end: end, xid: 1, time: 1), id: try id(number, 2))
        return JournalFunctions.append(
            try #require(builder.batch()), to: journal, birth: "b", position: Position(history: 1, lsn: end))
    }

    @Test("a peer that was flushed while connected gets its copies again, also those without traffic")
    func noticesFlushedPeer() async throws {
        try await TwoRegions.run { regions in
            try await regions.writeAndCopy(100, label: "a")
            _ = try await regions.ask(regions.west, "FLUSHALL")
            try await regions.until { try await regions.ask(regions.west, "XLEN", journal.key).integer == 100 }
            try await regions.untilEqual()
        }
    }

    @Test("a peer that is flushed again and again is found out by any journal with traffic, by one new to it as well")
    func noticesFlushedAgain() async throws {
        let busy = (1...5).map { JournalName.voice(tenant: "20\($0)", origin: "east") }
        try await TwoRegions.run(mirroring: [journal] + busy) { regions in
            try await regions.writeAndCopy(100, label: "a")
            for other in busy {
                try await regions.until { try await regions.ask(regions.west, "EXISTS", other.metaKey).integer == 1 }
            }
            for other in busy {
                _ = try await regions.ask(regions.west, "FLUSHALL")
                _ = try await regions.ask(regions.east, "XADD", other.key, "*", "n", "1")
                try await regions.until { try await regions.ask(regions.west, "XLEN", journal.key).integer == 100 }
            }
            try await regions.untilEqual()
        }
    }

    @Test("a region that joins gets what is left, and what it never had a copy of is no loss")
    func joins() async throws {
        try await TwoRegions.run(settings: [], mirroring: []) { regions in
            let client = try await regions.client(of: regions.east)
            let ids = try await regions.write(100, through: client, label: "a")
            let minimum = try #require(EntryID(ids[90]))
            _ = try await client.send(JournalFunctions.library.loadCommand)
            _ = try await client.send(
                JournalFunctions.lineage(
                    journal, birth: "b", cursor: .zero, peer: "south", copyBirth: ""))
            _ = try await client.send(JournalFunctions.trim(journal, minimum: minimum, birth: "b"))
            await regions.link.mirror([journal])
            try await regions.waitForCopy(ids.last)
            try await regions.untilEqual()
            #expect(try await regions.ask(regions.west, "XLEN", journal.key).integer == 10)
            #expect(regions.lost("trimmed") == 0)
            await client.close()
        }
    }

    @Test("a peer whose own file lost its tail gets that again")
    func refillsPeer() async throws {
        try await withRegions { regions in
            try await regions.writeAndCopy(100, label: "a")
            let end = try await regions.west.appendOnlyEnd
            try await regions.writeAndCopy(100, label: "b")
            try await regions.west.restart(cutAt: end)
            try await regions.untilEqual()
            try await regions.writeAndCopy(10, label: "c")
            try await regions.untilEqual()
            #expect((regions.healed, regions.lost("trimmed")) == (0, 0))
        }
    }
}
