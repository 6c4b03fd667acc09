import Journal
import Mirror
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing

extension TwoRegions {
    /// Whether the link says that it works less well than it should, for a reason with this word.
    fileprivate func isDegraded(by word: String) -> Bool {
        guard let state = states.state(of: "mirror west") else { return false }
        return state.health == .degraded && state.reason?.contains(word) == true
    }
}

@Suite("Mirror link between two real Redis servers", .serialized)
struct MirrorLinkTests {
    @Test("the copy has the same entries, IDs and order; other shapes travel as they are")
    func copies() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            _ = try await regions.write(3_000, through: client, label: "a")
            _ = try await client.send(RedisCommand("XADD", TwoRegions.journal.key, "*", "", "", "ünï", "\u{0}\r\n$5"))
            let big = String(repeating: "m", count: 1_000_000)
            _ = try await client.send(RedisCommand("XADD", TwoRegions.journal.key, "*", "blob", big))
            let ids = try await regions.write(3_000, through: client, label: "b")
            try await regions.waitForCopy(ids.last)
            let (source, copy) = (
                try await regions.contents(of: regions.east), try await regions.contents(of: regions.west)
            )
            #expect(source == copy)
            #expect(source.count > 1_000_000)
            #expect(regions.metrics.counter(.mirrorAppended, [.peer: "west", .topic: "voice"]).value >= 6_002)
            await client.close()
        }
    }

    @Test("the peer killed under load: the copy goes on where it was, nothing lost or repeated")
    func survivesPeer() async throws {
        try await TwoRegions.run(settings: ["appendonly yes", "appendfsync always"]) { regions in
            let client = try await regions.client(of: regions.east)
            let appended = regions.metrics.counter(.mirrorAppended, [.peer: "west", .topic: "voice"])
            var last: String?
            for round in 0..<3 {
                let before = appended.value
                async let ids = regions.write(4_000, through: client, label: "r\(round)")
                try await regions.until { appended.value > before }
                await regions.west.kill()
                try await regions.west.start()
                last = try await ids.last
            }
            try await regions.waitForCopy(last)
            let (source, copy) = (
                try await regions.contents(of: regions.east), try await regions.contents(of: regions.west)
            )
            #expect(source == copy)
            await client.close()
        }
    }

    @Test("a peer that cannot write for a while gets everything when it can")
    func waitsForWrites() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let peer = try await regions.client(of: regions.west)
            let first = try await regions.write(100, through: client, label: "a")
            try await regions.waitForCopy(first.last)
            _ = try await peer.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            let refusals = try await regions.refusals(by: peer)
            async let ids = regions.write(5_000, through: client, label: "b")
            try await regions.until { try await regions.refusals(by: peer) != refusals }
            _ = try await peer.send(RedisCommand("FUNCTION", "FLUSH"))
            _ = try await peer.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            try await regions.waitForCopy(try await ids.last)
            let (source, copy) = (
                try await regions.contents(of: regions.east), try await regions.contents(of: regions.west)
            )
            #expect(source == copy)
            await peer.close()
            await client.close()
        }
    }

    @Test("what somebody else trimmed before it was read is counted exactly, and the rest is shipped")
    func countsForeignTrim() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let lost = regions.metrics.counter(.mirrorLost, [.cause: "trimmed"])
            var last = try await regions.write(10, through: client, label: "a").last
            try await regions.waitForCopy(last)
            for round in 1...2 {
                // In one step, so that the link cannot read in between.
                var commands = [RedisCommand("MULTI")]
                for number in 0..<20 {
                    commands.append(RedisCommand("XADD", TwoRegions.journal.key, "*", "n", "\(number)"))
                }
                commands += [RedisCommand("XTRIM", TwoRegions.journal.key, "MAXLEN", "5"), RedisCommand("EXEC")]
                last = try await client.pipeline(commands).last?.get()[19]?.string
                try await regions.waitForCopy(last)
                try await regions.until { lost.value == 15 * round }
                try await regions.until { try await regions.gap()?.missed == UInt64(15 * round) }
            }
            let copied = try await regions.client(of: regions.west)
            #expect(try await copied.send(RedisCommand("XLEN", TwoRegions.journal.key)).integer == 20)
            #expect(regions.states.state(of: "mirror west journals") == nil)
            await copied.close()
            await client.close()
        }
    }

    @Test("of a gap that somebody else made in a provisioning journal the peer hears, and the copy goes on behind it")
    func tellsOfGap() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let journal = JournalName.provisioning(origin: "east")
            await regions.link.mirror([journal])
            var commands = (1...10).map { RedisCommand("XADD", journal.key, "1-\($0)", "n", "\($0)") }
            for result in await client.pipeline(commands) { _ = try result.get() }
            try await regions.until { await regions.link.acknowledged(of: journal) == EntryID(first: 1, second: 10) }
            commands = (1...10).map { RedisCommand("XADD", journal.key, "2-\($0)", "n", "\($0)") }
            commands = [RedisCommand("MULTI")] + commands
            commands += [RedisCommand("XTRIM", journal.key, "MAXLEN", "5"), RedisCommand("EXEC")]
            for result in await client.pipeline(commands) { _ = try result.get() }
            try await regions.until { await regions.link.acknowledged(of: journal) == EntryID(first: 2, second: 10) }
            try await regions.until {
                try await regions.ask(regions.west, "HEXISTS", journal.metaKey, JournalFunctions.gapField).integer == 1
            }
            try await regions.until { regions.metrics.counter(.mirrorLost, [.cause: "trimmed"]).value == 5 }
            try await regions.until {
                try await client.send(RedisCommand("HGET", journal.metaKey, "missed:west")).string == "5"
            }
            // Who reads the copy is told as well. None of what is missing stands above.
            try await regions.until { try await regions.gap(in: journal)?.missed == 5 }
            let gap = try #require(try await regions.gap(in: journal))
            #expect(gap.through >= EntryID(first: 2, second: 5))
            await client.close()
        }
    }

    @Test("a wiped peer gets what is left of a voice journal, and what it cannot get is counted once")
    func countsBeheaded() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let peer = try await regions.client(of: regions.west)
            let lost = regions.metrics.counter(.mirrorLost, [.cause: "trimmed"])
            let ids = try await regions.write(100, through: client, label: "a")
            try await regions.waitForCopy(ids.last)
            let minimum = try #require(EntryID(ids[90]))
            let meta = try await client.send(RedisCommand("HGET", TwoRegions.journal.metaKey, "birth"))
            let birth = try #require(meta.string)
            _ = try await client.send(JournalFunctions.trim(TwoRegions.journal, minimum: minimum, birth: birth))
            _ = try await peer.send(RedisCommand("FLUSHALL"))
            let more = try await regions.write(10, through: client, label: "b")
            try await regions.waitForCopy(more.last)
            let (source, copy) = (
                try await regions.contents(of: regions.east), try await regions.contents(of: regions.west)
            )
            #expect(source == copy)
            try await regions.until { lost.value == 90 }
            // None of what is missing stands above.
            let gap = try #require(try await regions.gap())
            #expect(gap.missed == 90 && gap.through >= minimum)
            _ = try await peer.send(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
            let last = try await regions.write(10, through: client, label: "c")
            try await regions.waitForCopy(last.last)
            #expect(lost.value == 90)
            #expect(try await regions.gap() == gap)
            await peer.close()
            await client.close()
        }
    }

    @Test("a source without memory to spare is still read from, also by a new connection, and says so")
    func readsFromFull() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let peer = try await regions.client(of: regions.west)
            let ids = try await regions.write(100, through: client, label: "a")
            try await regions.waitForCopy(ids.last)
            _ = try await client.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            _ = try await peer.send(RedisCommand("FLUSHALL"))
            _ = try await client.send(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
            try await regions.until {
                try await peer.send(RedisCommand("XLEN", TwoRegions.journal.key)).integer == 100
            }
            try await regions.until { regions.isDegraded(by: "OOM") }
            _ = try await client.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            try await regions.until { regions.states.state(of: "mirror west")?.health == .working }
            let more = try await regions.write(100, through: client, label: "b")
            try await regions.waitForCopy(more.last)
            await peer.close()
            await client.close()
        }
    }

    @Test("a peer without memory to spare: the link says so until the peer takes entries again")
    func saysRefused() async throws {
        try await TwoRegions.run { regions in
            let peer = try await regions.client(of: regions.west)
            try await regions.until { regions.states.state(of: "mirror west")?.health == .working }
            _ = try await peer.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            // Between two refusals it may say for a moment that it works.
            try await regions.until { regions.isDegraded(by: "OOM") }
            _ = try await peer.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            try await regions.until { regions.states.state(of: "mirror west")?.health == .working }
            await peer.close()
        }
    }

    @Test("a peer that begins to evict gets nothing more, the link says so, and goes on when it does not any longer")
    func refusesEvicting() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let peer = try await regions.client(of: regions.west)
            let first = try await regions.write(100, through: client, label: "a")
            try await regions.waitForCopy(first.last)
            _ = try await peer.send(RedisCommand("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"))
            try await regions.until { regions.states.state(of: "mirror west")?.name == "refused-evicting" }
            let state = try #require(regions.states.state(of: "mirror west"))
            #expect(state.health == .stopped && state.reason?.contains("allkeys-lru") == true && state.advice != nil)
            // It is in the state before that is logged.
            try await regions.until { regions.log.count("Mirror link changed state", at: "error") > 0 }
            let more = try await regions.write(100, through: client, label: "b")
            // It is tried again and again meanwhile.
            let attempts = try await regions.knocks(at: peer)
            try await regions.until { try await regions.knocks(at: peer) > attempts + 3 }
            #expect(try await peer.send(RedisCommand("XLEN", TwoRegions.journal.key)).integer == 100)
            #expect(regions.states.state(of: "mirror west") == state)
            #expect(regions.log.count("Mirror link changed state", at: "error") == 1)
            _ = try await peer.send(RedisCommand("CONFIG", "SET", "maxmemory-policy", "noeviction"))
            try await regions.waitForCopy(more.last)
            try await regions.until { regions.states.state(of: "mirror west")?.name == "streaming" }
            await peer.close()
            await client.close()
        }
    }

    @Test("a peer flushed while connected gets all journals again, those at rest as well")
    func fillsFlushed() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let peer = try await regions.client(of: regions.west)
            let ids = try await regions.write(100, through: client, label: "a")
            try await regions.waitForCopy(ids.last)
            _ = try await peer.send(RedisCommand("FLUSHALL"))
            try await regions.until {
                try await peer.send(RedisCommand("XLEN", TwoRegions.journal.key)).integer == 100
            }
            await peer.close()
            await client.close()
        }
    }

    @Test("a journal that cannot be read is named; the others of its group go on", arguments: [true, false])
    func namesUnreadable(isLarge: Bool) async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let other = JournalName.voice(tenant: "102", origin: "east")
            _ = try await client.send(RedisCommand("XADD", other.key, "*", "n", "1"))
            await regions.link.mirror([other])
            try await regions.until { await regions.link.acknowledged(of: other) ?? .zero > .zero }
            if isLarge {
                // More than an answer to the link may have.
                let value = String(repeating: "x", count: 70 << 20)
                _ = try await client.send(RedisCommand("XADD", other.key, "*", "n", value))
            } else {
                let replacing = [RedisCommand("DEL", other.key), RedisCommand("SET", other.key, "n")]
                for result in await client.pipeline(replacing) { _ = try result.get() }
            }
            let component = "mirror west journals"
            try await regions.until { regions.states.state(of: component)?.name == "stopped-refused" }
            #expect(regions.states.state(of: component)?.reason?.contains(other.key) == true)
            let ids = try await regions.write(1_000, through: client, label: "a")
            try await regions.waitForCopy(ids.last)
            #expect(regions.states.state(of: "mirror west")?.name == "streaming")
            await client.close()
        }
    }

    @Test("a refusal that lasts is one fork, whatever is tried; it ends when entries are shipped again")
    func countsRefusalOnce() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let peer = try await regions.client(of: regions.west)
            let ids = try await regions.write(1, through: client, label: "a")
            try await regions.waitForCopy(ids.last)
            _ = try await peer.send(RedisCommand("ACL", "SETUSER", "default", "-xadd"))
            _ = try await client.send(RedisCommand("XADD", TwoRegions.journal.key, "*", "f", "v"))
            let component = "mirror west journals"
            try await regions.until { regions.states.state(of: component)?.name == "stopped-refused" }
            for _ in 0..<2 {
                _ = try await peer.send(RedisCommand("ACL", "LOG", "RESET"))
                try await regions.until {
                    try await peer.send(RedisCommand("ACL", "LOG")).count > 0
                }
            }
            #expect(regions.states.state(of: component)?.name == "stopped-refused")
            let forks = regions.metrics.counter(.mirrorForks, [.cause: "refused"]).value
            #expect(forks <= 2)  // voice, and control with its probes
            _ = try await peer.send(RedisCommand("ACL", "SETUSER", "default", "+xadd"))
            try await regions.until { regions.states.state(of: component) == nil }
            await peer.close()
            await client.close()
        }
    }
}
