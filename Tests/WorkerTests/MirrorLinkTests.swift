import Journal
import Logging
import Mirror
import NIOCore
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing
import Worker

/// Two real Redis servers and a link from the first to the second.
private struct TwoRegions {
    let east: RedisServer
    let west: RedisServer
    let states = ComponentStates()
    let metrics = MetricsRegistry()
    let link: MirrorLink

    static let journal = JournalName.voice(tenant: "101", origin: "east")

    static func run(
        settings: [String] = [], _ body: (TwoRegions) async throws -> Void
    ) async throws {
        let regions = TwoRegions(
            east: try await .start(settings: settings), west: try await .start(settings: settings))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await regions.link.run() }
            await regions.link.mirror([journal, .control(origin: "east")])
            do {
                try await body(regions)
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
        await regions.east.discard()
        await regions.west.discard()
    }

    private init(east: RedisServer, west: RedisServer) {
        self.east = east
        self.west = west
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        link = MirrorLink(
            settings: MirrorSettings(region: "east", peer: "west", windowBytes: 1 << 20),
            connector: RedisMirrorConnector(
                region: "east", local: RedisEndpoint(host: east.host, port: east.port),
                remote: RedisEndpoint(host: west.host, port: west.port), eventLoop: loop),
            report: MirrorReport(
                peer: "west", states: states, metrics: metrics,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })), eventLoop: loop)
    }

    func client(of server: RedisServer) async throws -> RedisConnection {
        try await RedisConnection.connect(
            to: RedisEndpoint(host: server.host, port: server.port), name: "test",
            on: MultiThreadedEventLoopGroup.singleton.any())
    }

    /// Writes entries as a voice front end does, with plain XADD; gives their IDs.
    func write(_ count: Int, through client: RedisConnection, label: String) async throws -> [String] {
        var ids: [String] = []
        for start in stride(from: 0, to: count, by: 500) {
            let commands = (start..<min(start + 500, count)).map { number in
                RedisCommand(
                    "XADD", Self.journal.key, "*", "event", "EventRinging", "key", "\(label)-\(number)", "data",
                    String(repeating: "x", count: number % 400))
            }
            for result in await client.pipeline(commands) { ids.append(try result.get().string ?? "") }
        }
        return ids
    }

    /// Waits until the copy ends with `last`, at most about half a minute.
    func waitForCopy(_ last: String?) async throws {
        for _ in 0..<1500 {
            if let last, await link.acknowledged(of: Self.journal) == EntryID(last) { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("the copy did not reach \(last ?? "-"): \(states.reports)")
    }

    /// Everything in the journal on one server, as text.
    func contents(of server: RedisServer) async throws -> String {
        let client = try await client(of: server)
        let reply = try await client.send(RedisCommand("XRANGE", Self.journal.key, "-", "+"))
        await client.close()
        return reply.description
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
            var last: String?
            for round in 0..<3 {
                async let ids = regions.write(4_000, through: client, label: "r\(round)")
                try await Task.sleep(for: .milliseconds(40))
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

    @Test("a flushed source is named, its copy stays as it was")
    func namesRebirth() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            let ids = try await regions.write(100, through: client, label: "a")
            try await regions.waitForCopy(ids.last)
            let before = try await regions.contents(of: regions.west)
            _ = try await client.send(RedisCommand("FLUSHALL"))
            _ = try await regions.write(100, through: client, label: "b")
            let component = "mirror west \(TwoRegions.journal)"
            for _ in 0..<500 where regions.states.state(of: component) == nil {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(regions.states.state(of: component)?.name == "stopped-born-again")
            #expect(regions.states.state(of: component)?.advice?.isEmpty == false)
            #expect(try await regions.contents(of: regions.west) == before)
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
            async let ids = regions.write(5_000, through: client, label: "b")
            try await Task.sleep(for: .milliseconds(300))
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
}
