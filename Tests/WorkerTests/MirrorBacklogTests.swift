import Journal
import Mirror
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Synchronization
import Testing

@testable import Worker

extension TwoRegions {
    /// Entries that the peer lacks; nil while that is not known.
    fileprivate func backlog(_ topic: Topic) -> Double? {
        metrics.gauge(.mirrorLagEntries, [.peer: "west", .topic: topic.rawValue]).value
    }

    /// What the probes behind an entry say that the peer has or will get of voice; nil for one that does not say.
    fileprivate func said(behind id: String = "0-0") async throws -> [UInt64?] {
        try await ask(east, "XRANGE", JournalName.control(origin: "east").key, "(\(id)", "+").elements.map { entry in
            let words = entry[1]?.elements.compactMap(\.string) ?? []
            #expect(words.starts(with: ["event", "probe", "key", "west"]))
            return words.count > 5 && words[4] == "voice" ? UInt64(words[5]) : nil
        }
    }

    /// What the newest probe that the peer has, or another server, says of capture.
    fileprivate func captured(at server: RedisServer? = nil) async throws -> String? {
        let key = JournalName.control(origin: "east").key
        let newest = try await ask(server ?? west, "XREVRANGE", key, "+", "-", "COUNT", "1")
        let words = newest[0]?[1]?.elements.compactMap(\.string) ?? []
        return words.firstIndex(of: "captured").map { words[$0 + 1] }
    }
}

@Suite("What a link knows that its peer lacks, between two real Redis servers", .serialized)
struct MirrorBacklogTests {
    @Test("a journal that stands still is behind by all that its copy lacks, and the peer is told so")
    func stopped() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            try await regions.waitForCopy(try await regions.write(100, through: client, label: "a").last)
            _ = try await regions.ask(regions.west, "XADD", TwoRegions.journal.key, "*", "n", "foreign")
            let last = try #require(try await regions.write(50, through: client, label: "b").last)
            try await regions.until {
                regions.states.state(of: "mirror west journals")?.name == "stopped-copy-written"
            }
            try await regions.until { regions.backlog(.voice) == 50 }
            try await regions.until { try await regions.said(behind: last).contains(150) }
            try await regions.until { regions.backlog(.provisioning) == 0 }
            await client.close()
        }
    }

    @Test("a peer is told up to where its region has captured, for as long as that captures")
    func captures() async throws {
        let position = Mutex<Position?>(Position(number: 7))
        try await TwoRegions.run(captured: { position.withLock { $0 } }) { regions in
            try await regions.until { try await regions.captured() == "7" }
            position.withLock { $0 = Position(number: 9) }
            try await regions.until { try await regions.captured() == "9" }
            position.withLock { $0 = nil }
            try await regions.until { try await regions.captured() == nil }
        }
    }

    @Test("while probes come late none of them says up to where its region has captured")
    func late() async throws {
        let position = Position(number: 7)
        try await TwoRegions.run(captured: { position }) { regions in
            try await regions.until { try await regions.captured() == "7" }
            _ = try await regions.ask(regions.west, "ACL", "SETUSER", "default", "-xadd")
            try await regions.until { try await regions.captured(at: regions.east) == nil }
            _ = try await regions.ask(regions.west, "ACL", "SETUSER", "default", "+xadd")
            try await regions.until { try await regions.captured(at: regions.east) == "7" }
            try await regions.until { try await regions.captured() == "7" }
        }
    }

    @Test("a journal whose copy was never seen leaves its topic unknown, and its peer keeps what it was told before")
    func unknown() async throws {
        try await TwoRegions.run { regions in
            let client = try await regions.client(of: regions.east)
            try await regions.waitForCopy(try await regions.write(100, through: client, label: "a").last)
            try await regions.until { regions.backlog(.voice) == 0 }
            let other = JournalName.voice(tenant: "102", origin: "east")
            _ = try await regions.ask(regions.west, "SET", other.metaKey, "no hash")
            await regions.link.mirror([other])
            try await regions.until { regions.backlog(.voice) == nil }
            let last = try #require(try await regions.write(1, through: client, label: "b").last)
            try await regions.until { try await regions.said(behind: last).count >= 3 }
            #expect(try await regions.said(behind: last).allSatisfy { $0 == nil })
            try await regions.until { regions.backlog(.control) != nil }
            _ = try await regions.ask(regions.west, "DEL", other.metaKey)
            try await regions.until { regions.backlog(.voice) == 0 }
            try await regions.until { try await regions.said(behind: last).contains(101) }
            await client.close()
        }
    }

    @Test("after an outage the peer is told of all that came meanwhile, or of nothing, and never of less")
    func outage() async throws {
        try await TwoRegions.run(settings: ["appendonly yes", "appendfsync always"]) { regions in
            let client = try await regions.client(of: regions.east)
            try await regions.waitForCopy(try await regions.write(100, through: client, label: "a").last)
            try await regions.until { try await regions.said().contains(100) }
            await regions.west.kill()
            try await regions.until { regions.metrics.gauge(.mirrorLinkUp, [.peer: "west"]).value == 0 }
            let last = try #require(try await regions.write(2_000, through: client, label: "b").last)
            try await regions.west.start()
            try await regions.waitForCopy(last)
            try await regions.until { try await regions.said(behind: last).contains(2_100) }
            #expect(try await regions.said(behind: last).allSatisfy { $0 == nil || $0 == 2_100 })
            await client.close()
        }
    }

    @Test("until all tenants are known the peer is told nothing, and then of all at once")
    func directory() async throws {
        try await TwoRegions.run(mirroring: []) { regions in
            let client = try await regions.client(of: regions.east)
            _ = try await regions.write(300, through: client, label: "a")
            _ = try await client.send(RedisCommand("SADD", tenantsKey, "101"))
            let keeper = RedisClient(
                endpoint: regions.east.patientEndpoint, name: "test",
                eventLoop: MultiThreadedEventLoopGroup.singleton.any())
            let directory = TenantDirectory(region: "east", fixed: [], client: keeper, links: [regions.link])
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                group.addTask { await directory.run() }
                try await regions.until { try await regions.said().count >= 2 }
                #expect(try await regions.said().allSatisfy { $0 == nil })
                group.addTask { await keeper.run() }
                try await regions.until { try await regions.said().contains(300) }
                #expect(try await regions.said().allSatisfy { $0 == nil || $0 == 300 })
            }
            await client.close()
        }
    }
}
