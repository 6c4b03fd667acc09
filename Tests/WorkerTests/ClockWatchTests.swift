import Journal
import Logging
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import Worker

@Suite("A peer's clock that is ahead for certain", .serialized)
struct ClockWatchTests {
    private func id(_ milliseconds: UInt64) -> EntryID { EntryID(first: milliseconds, second: 0) }

    @Test("what comes from the future proves it; what comes late proves nothing; the youngest sighting counts most")
    func transcript() {
        var skew = ClockSkew()
        #expect(skew.ahead == nil)
        skew.seen(id(1000), local: 1_000_000, at: .zero)
        skew.seen(id(1000), local: 900_000_000, at: .zero)
        #expect(skew.ahead == nil)
        skew.seen(id(1000), local: 999_999, at: .seconds(1))
        #expect(skew.ahead == .microseconds(1))
        skew.seen(id(3000), local: 1_000_000, at: .seconds(2))
        skew.seen(id(3500), local: 2_000_000, at: .seconds(40))
        #expect(skew.ahead == .seconds(2))
        skew.seen(id(4000), local: 9_000_000, at: .seconds(62))
        #expect(skew.ahead == .milliseconds(1500))
        skew.notSeen(at: .seconds(100))
        #expect(skew.ahead == nil)
    }

    @Test("any ID and any time of day is taken")
    func extremes() {
        for first in [UInt64.min, 1, .max, UInt64(Int64.max)] {
            for local in [Int64.min, -1, 0, .max] {
                var skew = ClockSkew()
                skew.seen(id(first), local: local, at: .zero)
                #expect(skew.ahead.map { $0 > .zero } ?? true)
            }
        }
    }

    @Test("on a real Redis: named with advice and measured while it lasts, absent else")
    func watch() async throws {
        try await RedisServer.with { server in
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            let endpoint = server.patientEndpoint
            let connection = try await RedisConnection.connect(to: endpoint, name: "test", on: loop)
            let (states, metrics) = (ComponentStates(), MetricsRegistry())
            let watch = ClockWatch(
                peers: ["ahead", "behind", "silent", "odd"],
                client: RedisClient(endpoint: endpoint, name: "unused", eventLoop: loop), states: states,
                metrics: metrics, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            func key(_ region: String) -> String { JournalName.control(origin: region).key }
            let now = Timestamp.now.nanoseconds / 1_000_000
            for (region, id) in [("ahead", now + 3_600_000), ("behind", now - 3_600_000)] {
                _ = try await connection.send(RedisCommand("XADD", key(region), "\(id)-0", "event", "probe"))
            }
            _ = try await connection.send(RedisCommand("SET", key("odd"), "no stream"))
            await watch.look(through: connection, at: .zero)
            let state = try #require(states.state(of: "clock ahead"))
            #expect(state.health == .degraded && state.advice != nil)
            let ahead = try #require(metrics.snapshot().number(.clockAheadSeconds, [.peer: "ahead"]))
            #expect((1800...3600).contains(ahead))
            #expect(states.reports.map(\.component) == ["clock ahead"])
            for peer in ["behind", "silent", "odd"] {
                #expect(metrics.snapshot().number(.clockAheadSeconds, [.peer: peer]) == nil)
            }
            // The copy began anew after the clock was set.
            _ = try await connection.send(RedisCommand("DEL", key("ahead")))
            await watch.look(through: connection, at: .seconds(59))
            #expect(states.state(of: "clock ahead") != nil)
            await watch.look(through: connection, at: .seconds(61))
            #expect(states.reports.isEmpty)
            #expect(metrics.snapshot().number(.clockAheadSeconds, [.peer: "ahead"]) == nil)
            await connection.close()
        }
    }
}
