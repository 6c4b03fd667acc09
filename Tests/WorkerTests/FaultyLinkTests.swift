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
import WANProxy
import Worker

/// Two real Redis servers and a link each way; that from east goes through a proxy.
private struct FarRegions {
    let east: RedisServer
    let west: RedisServer
    let proxy: WANProxy
    let states = ComponentStates()
    let metrics = MetricsRegistry()

    static let journal = JournalName.voice(tenant: "101", origin: "east")

    static func run(_ body: (FarRegions, RedisConnection) async throws -> Void) async throws {
        try await RedisServer.with { east in
            try await RedisServer.with { west in
                let loop = MultiThreadedEventLoopGroup.singleton.any()
                let proxy = try await WANProxy.start(to: west.host, west.port, on: loop)
                let regions = FarRegions(east: east, west: west, proxy: proxy)
                let client = try await regions.client(of: east)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    defer { group.cancelAll() }
                    let link = regions.link(
                        from: "east", local: east.port, to: "west", remote: proxy.port, states: regions.states,
                        metrics: regions.metrics)
                    let back = regions.link(
                        from: "west", local: west.port, to: "east", remote: east.port, states: ComponentStates(),
                        metrics: MetricsRegistry())
                    group.addTask { await link.run() }
                    group.addTask { await back.run() }
                    await link.mirror([journal, .control(origin: "east")])
                    await back.mirror([.control(origin: "west")])
                    try await regions.until { regions.isUp }
                    try await body(regions, client)
                }
                await client.close()
                try await proxy.close()
            }
        }
    }

    private func link(
        from region: String, local: Int, to peer: String, remote: Int, states: ComponentStates,
        metrics: MetricsRegistry
    ) -> MirrorLink {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        return MirrorLink(
            // What becomes known has to become known while readers wait for entries.
            settings: MirrorSettings(
                region: region, peer: peer, windowBytes: 1 << 20, blockTime: .seconds(120)),
            connector: RedisMirrorConnector(
                region: region, local: RedisEndpoint(host: "127.0.0.1", port: local),
                remote: RedisEndpoint(host: "127.0.0.1", port: remote), eventLoop: loop),
            report: MirrorReport(
                peer: peer, states: states, metrics: metrics,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })), eventLoop: loop)
    }

    func client(of server: RedisServer) async throws -> RedisConnection {
        try await RedisConnection.connect(
            to: server.patientEndpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
    }

    var isUp: Bool { metrics.gauge(.mirrorLinkUp, [.peer: "west"]).value == 1 }

    func isCut(_ direction: LinkHearing.Cut) -> Bool {
        metrics.gauge(.mirrorCut, [.peer: "west", .direction: direction.rawValue]).value == 1
    }

    func write(_ count: Int, through client: RedisConnection) async throws {
        let command = RedisCommand(
            "XADD", Self.journal.key, "*", "event", "EventRinging", "key", "k", "data",
            String(repeating: "x", count: 200))
        for result in await client.pipeline(Array(repeating: command, count: count)) { _ = try result.get() }
    }

    /// Waits until the copy is as long as the journal, then compares them.
    func expectSame(_ client: RedisConnection, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let peer = try await self.client(of: west)
        let length = RedisCommand("XLEN", Self.journal.key)
        let written = try await client.send(length).integer
        try await until(sourceLocation: sourceLocation) { try await peer.send(length).integer == written }
        let all = RedisCommand("XRANGE", Self.journal.key, "-", "+")
        let (source, copy) = (try await client.send(all), try await peer.send(all))
        #expect(source.description == copy.description, sourceLocation: sourceLocation)
        await peer.close()
    }

    /// Waits until each side has heard of the other.
    func untilHeard(_ client: RedisConnection) async throws {
        let peer = try await self.client(of: west)
        try await until {
            for (server, region) in [(peer, "east"), (client, "west")] {
                let left = try await server.send(RedisCommand("GET", knockKey(from: region))).string
                guard let knock = left.flatMap({ Knock(text: $0) }), knock.seen > 0 else { return false }
            }
            return true
        }
        await peer.close()
    }

    /// Waits until `condition` holds, at most about a minute.
    func until(
        sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
    ) async throws {
        for _ in 0..<3000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("in vain: \(states.reports)", sourceLocation: sourceLocation)
    }
}

@Suite("Mirror link over a faulty WAN", .serialized, .timeLimit(.minutes(6)))
struct FaultyLinkTests {
    @Test(
        "a cut is known, by direction where that can be told; after it nothing is missing",
        arguments: [
            ([.there], .out), ([.back], .in), ([.there, .back], .out),
        ] as [([Direction], LinkHearing.Cut)])
    func cuts(_ directions: [Direction], _ told: LinkHearing.Cut) async throws {
        try await FarRegions.run { regions, client in
            try await regions.untilHeard(client)
            try await regions.write(2_000, through: client)
            try await regions.proxy.perform(.pass(.cut, directions))
            try await regions.write(2_000, through: client)
            try await regions.until { !regions.isUp }
            try await regions.until { regions.states.state(of: "mirror west")?.name == "connecting" }
            try await regions.until { regions.isCut(told) }
            try await regions.write(2_000, through: client)
            try await regions.proxy.perform(.heal)
            try await regions.until { regions.isUp }
            try await regions.expectSame(client)
            try await regions.until { regions.isUp && !regions.isCut(told) }
        }
    }

    @Test("the peer gone altogether: nothing is heard, and no direction is claimed")
    func silence() async throws {
        try await FarRegions.run { regions, _ in
            await regions.west.pause()
            try await regions.until { !regions.isUp && regions.isCut(.unknown) }
            await regions.west.resume()
            try await regions.until { regions.isUp }
        }
    }

    @Test("appends that arrive long after their link was given up change nothing")
    func lateArrivals() async throws {
        try await FarRegions.run { regions, client in
            for _ in 0..<2 {
                try await regions.write(1_000, through: client)
                try await regions.proxy.perform(.pass(.stalled, Direction.allCases))
                try await regions.write(3_000, through: client)
                try await regions.until { !regions.isUp }
                try await regions.write(1_000, through: client)
                try await regions.proxy.perform(.heal)
                try await regions.expectSame(client)
            }
        }
    }

    @Test("connections reset in the middle of whatever they carry", arguments: 1...3 as ClosedRange<UInt64>)
    func resets(seed: UInt64) async throws {
        try await FarRegions.run { regions, client in
            var random = seed
            for _ in 0..<15 {
                random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let bytes = Int(random >> 46)  // up to 256 KiB
                try await regions.proxy.perform(
                    .resetAfter(random & 1 << 40 == 0 ? bytes : bytes >> 8, [random & 1 << 41 == 0 ? .there : .back]))
                try await regions.write(500, through: client)
            }
            try await regions.expectSame(client)
        }
    }

    @Test("far away: a window of batches is on its way at once, and the order stays")
    func far() async throws {
        try await FarRegions.run { regions, client in
            try await regions.proxy.perform(.delay(.milliseconds(100), Direction.allCases))
            let appended = regions.metrics.counter(.mirrorAppended, [.peer: "west", .topic: "voice"])
            for _ in 0..<10 { try await regions.write(1_000, through: client) }
            try await regions.expectSame(client)
            try await regions.until { appended.value >= 10_000 && regions.isUp }
        }
    }
}
