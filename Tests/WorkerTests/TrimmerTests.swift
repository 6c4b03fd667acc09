import Journal
import Logging
import Mirror
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing
import Worker

/// A region's Redis and a trimmer, whose clock the test moves on.
private struct Trimmed {
    let trimmer: Trimmer
    let client: RedisConnection
    let states: ComponentStates
    let metrics: MetricsRegistry

    static let voice = JournalName.voice(tenant: "7", origin: "east")

    static func with(
        tenants: [String] = ["7"], maximumBytes: Int? = nil, hasLink: Bool = false,
        _ body: (Trimmed) async throws -> Void
    ) async throws {
        try await RedisServer.with { server in
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            let endpoint = server.patientEndpoint
            let (states, metrics) = (ComponentStates(), MetricsRegistry())
            let trimmer = Trimmer(
                settings: Trimmer.Settings(
                    region: "east", peers: ["west"], tenants: tenants, minimumAge: .seconds(60),
                    maximumBytes: maximumBytes),
                client: RedisClient(endpoint: endpoint, name: "unused", eventLoop: loop),
                links: hasLink ? [link(from: endpoint, states, metrics)] : [], states: states, metrics: metrics,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            let client = try await RedisConnection.connect(to: endpoint, name: "test", on: loop)
            try await body(Trimmed(trimmer: trimmer, client: client, states: states, metrics: metrics))
            await client.close()
        }
    }

    /// A link to a peer that was never heard of.
    private static func link(
        from endpoint: RedisEndpoint, _ states: ComponentStates, _ metrics: MetricsRegistry
    ) -> MirrorLink {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        return MirrorLink(
            settings: MirrorSettings(region: "east", peer: "west"),
            connector: RedisMirrorConnector(region: "east", local: endpoint, remote: endpoint, eventLoop: loop),
            report: MirrorReport(
                peer: "west", states: states, metrics: metrics,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })), eventLoop: loop)
    }

    /// Entries 1 to `count`, all of which the projection has.
    func fill(_ journal: JournalName, _ count: Int) async throws {
        for number in 1...count { try await run("XADD", journal.key, "\(number)-0", "f", "v") }
        try await run("HSET", "rs:{\(journal.tenant)}:projection", "voice:\(journal.origin)", "\(count)-0")
    }

    /// A round now and one when all there was is old enough.
    func age() async {
        await trimmer.trim(through: client, at: .seconds(0))
        await trimmer.trim(through: client, at: .seconds(100))
    }

    @discardableResult
    func run(_ words: String...) async throws -> RedisReply {
        try await client.send(RedisCommand(words: words, runs: []))
    }

    func length(_ journal: JournalName) async throws -> Int64? { try await run("XLEN", journal.key).integer }
}

@Suite("Trimming journals on a real Redis", .serialized)
struct TrimmerTests {
    @Test("tenants of the region file and of the projection alike are trimmed, also without functions")
    func trims() async throws {
        try await Trimmed.with { region in
            let learnt = JournalName.voice(tenant: "8", origin: "west")
            try await region.fill(Trimmed.voice, 10)
            try await region.fill(learnt, 10)
            try await region.run("SADD", tenantsKey, "8")
            await region.age()
            for journal in [Trimmed.voice, learnt] { #expect(try await region.length(journal) == 1) }
            #expect(region.states.state(of: Trimmer.component)?.health == .working)
        }
    }

    @Test("a peer that is gone keeps every entry while the region file names it, and none once it does not")
    func forgetsPeer() async throws {
        for hasLink in [true, false] {
            try await Trimmed.with(hasLink: hasLink) { region in
                try await region.fill(Trimmed.voice, 10)
                await region.age()
                #expect(try await region.length(Trimmed.voice) == (hasLink ? 10 : 1))
            }
        }
    }

    @Test("a key of another kind keeps no other journal from being trimmed, and is named")
    func goesOn() async throws {
        try await Trimmed.with(tenants: ["1", "7"]) { region in
            let bad = JournalName.voice(tenant: "1", origin: "east")
            try await region.run("SET", bad.key, "text")
            try await region.run("SET", JournalName.provisioning(origin: "east").key, "text")
            try await region.fill(Trimmed.voice, 10)
            await region.age()
            #expect(try await region.length(Trimmed.voice) == 1)
            let state = try #require(region.states.state(of: Trimmer.component))
            #expect(state.health == .degraded)
            #expect(state.reason?.hasPrefix("2 not trimmed, first rs:{_}:provisioning:east: WRONGTYPE") == true)
            try await region.run("DEL", bad.key, JournalName.provisioning(origin: "east").key)
            await region.trimmer.trim(through: region.client, at: .seconds(200))
            #expect(region.states.state(of: Trimmer.component)?.health == .working)
        }
    }

    @Test("a copy of a control journal is kept until it is read, this region's own is read by nobody here")
    func keepsControl() async throws {
        try await Trimmed.with { region in
            let (own, copy) = (JournalName.control(origin: "east"), JournalName.control(origin: "west"))
            for number in 1...10 {
                for journal in [own, copy] { try await region.run("XADD", journal.key, "\(number)-0", "f", "v") }
            }
            await region.age()
            #expect(try await region.length(own) == 1)
            #expect(try await region.length(copy) == 10)
            try await region.run("HSET", "rs:{_}:projection", "control:west", "9-0")
            await region.trimmer.trim(through: region.client, at: .seconds(200))
            #expect(try await region.length(copy) == 2)
        }
    }

    @Test("a provisioning journal is cut between transactions")
    func cutsBetween() async throws {
        try await Trimmed.with { region in
            let journal = JournalName.provisioning(origin: "east")
            for position in 1...3 {
                for ordinal in 1...4 { try await region.run("XADD", journal.key, "\(position)-\(ordinal)", "f", "v") }
            }
            try await region.run("HSET", "rs:{_}:projection", "provisioning", "9")
            await region.trimmer.trim(through: region.client, at: .seconds(0))
            try await region.run("XADD", journal.key, "4-1", "f", "v")
            await region.trimmer.trim(through: region.client, at: .seconds(100))
            let first = try await region.run("XRANGE", journal.key, "-", "+", "COUNT", "1")
            #expect(first[0]?[0]?.string == "3-1")
        }
    }

    @Test("what goes beyond the budget while a peer is away is counted as it goes, and not again once it is back")
    func countsWhatAnAbsentPeerLacks() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let lost = regions.metrics.counter(.mirrorLost, [.cause: "trimmed"])
            let journal = TwoRegions.journal
            func write(_ numbers: ClosedRange<Int>) async throws {
                let text = String(repeating: "x", count: 1000)
                let commands = numbers.map { RedisCommand("XADD", journal.key, "\($0)-0", "f", text) }
                for result in await client.pipeline(commands) { _ = try result.get() }
            }
            try await write(1...500)
            try await regions.waitForCopy("500-0")
            try await regions.pauseWest(seenBy: client)
            try await write(501...2000)
            let trimmer = Trimmer(
                settings: Trimmer.Settings(
                    region: "east", peers: ["west"], tenants: ["101"], minimumAge: .seconds(60),
                    maximumBytes: 1 << 20),
                client: RedisClient(endpoint: client.endpoint, name: "unused", eventLoop: client.eventLoop),
                links: [regions.link], states: regions.states, metrics: regions.metrics,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            for time in 0...3 { await trimmer.trim(through: client, at: .seconds(time)) }
            let floor = try await client.send(RedisCommand("HGET", journal.metaKey, "floor")).entryID?.first ?? 0
            try #require(floor > 500)
            #expect(lost.value == floor - 500)
            await regions.west.resume()
            try await regions.waitForCopy("2000-0")
            try await regions.until {
                let noted = try await client.send(RedisCommand("HGET", journal.metaKey, "missed:west"))
                let fields = try await client.send(RedisCommand("HKEYS", journal.metaKey)).elements.compactMap(\.string)
                return noted.string == "\(floor - 500)" && !fields.contains { $0.hasPrefix("counted:") }
            }
            #expect(lost.value == floor - 500)
            // A note that came too late for the link: what the peer has by its own word is no loss all the same.
            let birth = try #require(try await client.send(RedisCommand("HGET", journal.metaKey, "birth")).string)
            let field = JournalName.countedField(peer: "west", birth: birth)
            _ = try await client.send(RedisCommand("HSET", journal.metaKey, field, "7"))
            try await write(2001...2600)
            try await regions.waitForCopy("2600-0")
            try await regions.pauseWest(seenBy: client)
            try await write(2601...3000)
            for time in 4...7 { await trimmer.trim(through: client, at: .seconds(time)) }
            let next = try await client.send(RedisCommand("HGET", journal.metaKey, "floor")).entryID?.first ?? 0
            try #require(next > floor && next < 2600)
            #expect(lost.value == floor - 500)
            await regions.west.resume()
            await client.close()
        }
    }

    @Test("beyond its budget a journal loses its oldest, whoever lacks them; provisioning whole transactions")
    func keepsBudget() async throws {
        try await Trimmed.with(maximumBytes: 1 << 20) { region in
            let provisioning = JournalName.provisioning(origin: "east")
            let text = String(repeating: "x", count: 1000)
            for number in 1...1500 {
                try await region.run("XADD", Trimmed.voice.key, "\(number)-0", "f", text)
                try await region.run("XADD", provisioning.key, "\((number + 6) / 7)-\(1 + (number - 1) % 7)", "f", text)
            }
            for time in 0...3 { await region.trimmer.trim(through: region.client, at: .seconds(time)) }
            for journal in [Trimmed.voice, provisioning] {
                let usage = try await region.run("MEMORY", "USAGE", journal.key).integer ?? 0
                #expect(usage <= 1 << 20)
                #expect(usage > 1 << 19)
                let floor = try await region.run("HGET", journal.metaKey, "floor").entryID
                let first = try await region.run("XRANGE", journal.key, "-", "+", "COUNT", "1")[0]?[0]?.entryID
                #expect(try #require(floor) < #require(first))
                if journal == provisioning { #expect(try #require(floor).first < #require(first).first) }
            }
        }
    }
}

extension TwoRegions {
    /// The peer answers no more, and the link is down: its connections here are cut, and it gets no new one there.
    fileprivate func pauseWest(seenBy client: RedisConnection) async throws {
        await west.pause()
        _ = try await client.send(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
        try await until { await link.isDown }
    }
}

extension RedisReply {
    fileprivate var entryID: EntryID? { string.flatMap { EntryID($0) } }
}
