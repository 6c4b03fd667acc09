import Failover
import Journal
import NIOCore
import NIOPosix
import PostgresClient
import Projection
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing

@testable import FailoverAdapters

/// `us-east` is down; `eu-west` takes over, `ap-south` is there as well.
private struct ThreeRegions {
    /// The region files of the two that are left.
    let west: Region
    let south: Region
    /// Their Redis, and that of the region that is down.
    let own: SurvivorRedis
    let other: SurvivorRedis
    let dead: RedisServer

    static func with(_ body: (ThreeRegions) async throws -> Void) async throws {
        try await RedisServer.with { dead in
            try await RedisServer.with { westServer in
                try await RedisServer.with { southServer in
                    let west = try region(
                        "eu-west", westServer.port, peers: ["us-east": dead.port, "ap-south": southServer.port])
                    let south = try region(
                        "ap-south", southServer.port, peers: ["us-east": dead.port, "eu-west": westServer.port])
                    let own = try await SurvivorRedis.connect(west)
                    let other = try await SurvivorRedis.connect(south)
                    defer {
                        own.close()
                        other.close()
                    }
                    try await body(ThreeRegions(west: west, south: south, own: own, other: other, dead: dead))
                }
            }
        }
    }

    static func region(_ name: String, _ port: Int, peers: [String: Int]) throws -> Region {
        let list = peers.sorted { $0.key < $1.key }.map { name, port in
            "{region: \(name), redis: {host: 127.0.0.1, port: \(port), connectTimeout: 30s}}"
        }
        return try RegionFile.parse(
            """
            region: \(name)
            redis: {host: 127.0.0.1, port: \(port), connectTimeout: 30s}
            peers: [\(list.joined(separator: ", "))]
            postgres: {host: 127.0.0.1, port: 1, database: d, user: u}
            tenants: [101]
            catalog: [{table: public.thing, type: thing, key: [id], tenant: tenant}]
            """, file: "\(name).yaml", surroundings: .init(environment: [:]) { _ in "" })
    }

    func failover(to region: Region) -> RedisFailoverRegion {
        RedisFailoverRegion(region: region, database: .init(host: "127.0.0.1", port: 1, database: "d", user: "u"))
    }

    /// Makes a copy of these entries, as a mirror would.
    func copy(
        _ journal: JournalName, _ ids: [String], birth: String = "b", in redis: SurvivorRedis
    ) async throws {
        for id in ids { _ = try await redis.ask("XADD", journal.key, id, "event", "e \(id)", "key", "k") }
        _ = try await redis.ask(
            "HSET", journal.metaKey, "birth", birth, "last", ids.last ?? "0-0", "count", "\(ids.count)", "floor", "0-0")
    }

    func entries(_ journal: JournalName, in redis: SurvivorRedis) async throws -> [String] {
        try await redis.ask("XRANGE", journal.key, "-", "+").elements.map { entry in
            let words = entry[1]?.elements.compactMap(\.string) ?? []
            return "\(entry[0]?.string ?? "") \(words.joined(separator: " "))"
        }
    }

    func meta(_ journal: JournalName, in redis: SurvivorRedis) async throws -> [String?] {
        try await redis.ask("HMGET", journal.metaKey, "birth", "last", "count").elements.map(\.string)
    }
}

@Suite("What survivors of a region give each other of it", .serialized)
struct ThreeRegionsTests {
    private let voice = JournalName.voice(tenant: "101", origin: "us-east")
    private let provisioning = JournalName.provisioning(origin: "us-east")
    private let control = JournalName.control(origin: "us-east")

    @Test("the survivor is given what the other one alone has, and cuts behind it; the dead one is not asked")
    func fetches() async throws {
        try await ThreeRegions.with { regions in
            let (own, other) = (regions.own, regions.other)
            // Of tenant 909 the survivor has never heard.
            let unknown = JournalName.voice(tenant: "909", origin: "us-east")
            try await regions.copy(voice, ["5-1"], in: own)
            try await regions.copy(voice, ["5-1", "5-2", "6-0"], in: other)
            try await regions.copy(unknown, ["7-1", "7-2"], in: other)
            _ = try await other.ask("SADD", tenantsKey, "909", "no dbid")
            try await regions.copy(provisioning, ["8-1"], in: own)
            try await regions.copy(provisioning, ["8-1", "8-2"], in: other)
            let region = regions.failover(to: regions.west)

            let found = try #require(await region.others(besides: "us-east").first)
            #expect(found.region == "ap-south" && found.unreachable == nil)
            #expect(found.ahead == 3 && found.voice == 4 && found.behind == 0 && found.left == [])
            #expect(try await regions.entries(voice, in: own).count == 1)

            let levelled = try await region.level("us-east", with: ["ap-south"])
            var expected = LevelledRegion(region: "ap-south")
            expected.fetched = 5
            #expect(levelled == [expected])
            for journal in [voice, unknown, provisioning] {
                #expect(try await regions.entries(journal, in: own) == regions.entries(journal, in: other))
                #expect(try await regions.meta(journal, in: own) == regions.meta(journal, in: other))
            }
            let cut = try await RegionDeclaration(region: "eu-west", down: "us-east", history: 2, redis: own).run()
            #expect(cut == DeclaredCut(journals: 2, entries: 5, wasDeclared: false))
            #expect(try await own.ask("HGET", "rs:{101}:projection", "cut:voice:us-east").string == "6-0 3")
            // Once more there is nothing left.
            #expect(try await region.level("us-east", with: ["ap-south"]).first?.fetched == 0)

            // Whoever is asked is given functions first.
            let dead = try await RedisConnection.connect(
                to: RedisEndpoint(host: "127.0.0.1", port: regions.dead.port, connectTimeout: .seconds(30)),
                name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
            let functions: RedisReply = try await dead.send(RedisCommand("FUNCTION", "LIST"))
            #expect(functions.kind == .array && functions.count == 0)
            await dead.close()
        }
    }

    @Test("the other one is given what the survivor has, also where it had no copy")
    func gives() async throws {
        try await ThreeRegions.with { regions in
            let (own, other) = (regions.own, regions.other)
            try await regions.copy(voice, (1...300).map { "5-\($0)" }, in: own)
            try await regions.copy(voice, ["5-1", "5-2"], in: other)
            try await regions.copy(provisioning, ["9-1", "9-2"], in: own)
            try await regions.copy(control, ["9-1", "9-2"], in: own)
            let region = regions.failover(to: regions.west)
            let found = try #require(await region.others(besides: "us-east").first)
            #expect(found.ahead == 0 && found.behind == 2)
            let levelled = try await region.level("us-east", with: ["ap-south"])
            var expected = LevelledRegion(region: "ap-south")
            expected.given = 300
            #expect(levelled == [expected])
            for journal in [voice, provisioning] {
                #expect(try await regions.entries(journal, in: other) == regions.entries(journal, in: own))
                #expect(try await regions.meta(journal, in: other) == regions.meta(journal, in: own))
            }
            // Old probes would be signs of life.
            #expect(try await other.ask("EXISTS", control.key).integer == 0)
        }
    }

    @Test("many journals, and more than are carried over at a time, come each whole")
    func many() async throws {
        try await ThreeRegions.with { regions in
            let journals = (1000..<1150).map { JournalName.voice(tenant: "\($0)", origin: "us-east") }
            for journal in journals {
                try await regions.copy(journal, ["5-1"], in: regions.own)
                try await regions.copy(journal, (1...20).map { "5-\($0)" }, in: regions.other)
                _ = try await regions.other.ask("SADD", tenantsKey, journal.tenant)
            }
            let levelled = try await regions.failover(to: regions.west).level("us-east", with: ["ap-south"])
            #expect(levelled.first?.fetched == 150 * 19 && levelled.first?.left == [])
            let ends = try await regions.own.ends(of: journals)
            #expect(ends == journals.map { _ in EntryID(first: 5, second: 20) })
            #expect(Set(try await regions.own.tenants()).isSuperset(of: journals.map(\.tenant)))
        }
    }

    @Test("a copy that was born otherwise, closed, forked or trimmed is left alone and named; the next journal is not")
    func leaves() async throws {
        try await ThreeRegions.with { regions in
            let (own, other) = (regions.own, regions.other)
            _ = try await own.ask("SADD", tenantsKey, "1", "2", "3", "4", "5")
            func journal(_ tenant: Int) -> JournalName { .voice(tenant: "\(tenant)", origin: "us-east") }
            for tenant in 1...5 { try await regions.copy(journal(tenant), ["5-1", "5-2"], in: own) }
            try await regions.copy(journal(1), ["5-1", "5-2", "5-3"], birth: "c", in: other)
            try await regions.copy(journal(2), ["5-1", "5-2", "5-3"], in: other)
            _ = try await other.ask("HSET", journal(2).metaKey, "closed", "1")
            try await regions.copy(journal(3), ["5-1", "5-3"], in: other)
            try await regions.copy(journal(4), ["5-1", "5-2", "5-3", "5-4"], in: other)
            _ = try await other.ask("XTRIM", journal(4).key, "MINID", "5-4")
            _ = try await other.ask("HSET", journal(4).metaKey, "floor", "5-3")
            try await regions.copy(journal(5), ["5-1", "5-2", "5-3"], in: other)
            let region = regions.failover(to: regions.west)
            let left = [
                "rs:{1}:voice:us-east (born at another time)", "rs:{2}:voice:us-east (closed)",
                "rs:{3}:voice:us-east (forked)", "rs:{4}:voice:us-east (no longer whole behind the other's end)",
            ]
            let found = try #require(await region.others(besides: "us-east").first)
            #expect(found.left == left)
            #expect(found.ahead == 1)
            let levelled = try #require(try await region.level("us-east", with: ["ap-south"]).first)
            #expect(levelled.left == left)
            #expect(levelled.fetched == 1 && levelled.given == 0 && levelled.failure == nil)
            for tenant in 1...4 { #expect(try await regions.entries(journal(tenant), in: own).count == 2) }
            #expect(try await regions.entries(journal(5), in: own).count == 3)
            #expect(try await regions.entries(journal(1), in: other).count == 3)
        }
    }

    private func mirror(from source: SurvivorRedis, to target: SurvivorRedis, through end: EntryID) async throws {
        while let held = try await target.copies(of: [voice], in: "eu-west").first, held.last < end {
            let page = try await source.page(of: voice, birth: "b", behind: held.last, through: end, count: 9)
            guard let page else { continue }
            do throws(Refusal) {
                try await target.append(page, to: voice, birth: "b")
            } catch {
                guard case .cursor = error else { throw error }
            }
        }
    }

    @Test("while a mirror writes the same entries each comes once, whoever is refused")
    func races() async throws {
        try await ThreeRegions.with { regions in
            let (own, other) = (regions.own, regions.other)
            let ids = (1...3000).map { "5-\($0)" }
            try await regions.copy(voice, ids, in: other)
            try await regions.copy(voice, ["5-1"], in: own)
            _ = try await own.ask([JournalFunctions.library.loadCommand])
            async let mirrored: Void = mirror(from: other, to: own, through: EntryID(first: 5, second: 3000))
            let region = regions.failover(to: regions.west)
            var left: [String] = []
            // A mirror that is faster each time is told of, and another run goes on.
            for _ in 0..<50 {
                left = try #require(try await region.level("us-east", with: ["ap-south"]).first).left
                if left.isEmpty { break }
            }
            try await mirrored
            #expect(left == [])
            #expect(try await regions.entries(voice, in: own) == regions.entries(voice, in: other))
            #expect(try await regions.meta(voice, in: own) == ["b", "5-3000", "3000"])
        }
    }

    @Test("a region that is away is named, and stops neither the look nor a reservation")
    func away() async throws {
        try await ThreeRegions.with { regions in
            let west = try ThreeRegions.region(
                "eu-west", regions.west.redis.address.port, peers: ["us-east": 1, "ap-south": freePort()])
            let region = regions.failover(to: west)
            let found = await region.others(besides: "us-east")
            #expect(found.map(\.region) == ["ap-south"])
            #expect(found.first?.unreachable?.contains("cannot connect") == true)
            #expect(try await region.level("us-east", with: ["ap-south"]).first?.failure?.isEmpty == false)
            try await region.reserve(2, at: ["ap-south"])
            let held = try await regions.own.ask("GET", ProjectionKeys.reservedHistory).string
            #expect(held?.hasPrefix("2 eu-west/") == true)
            // Among two regions nobody is asked at all.
            let two = try ThreeRegions.region("eu-west", regions.west.redis.address.port, peers: ["us-east": 1])
            #expect(await regions.failover(to: two).others(besides: "us-east") == [])
        }
    }

    private func refusal(_ region: RedisFailoverRegion, at other: String) async -> FailoverFailure? {
        do throws(FailoverFailure) {
            try await region.reserve(2, at: [other])
            return nil
        } catch {
            return error
        }
    }

    @Test("of two survivors one yields, and takes nothing from the other; the next run of the same region goes on")
    func reserves() async throws {
        try await ThreeRegions.with { regions in
            let west = regions.failover(to: regions.west)
            let south = regions.failover(to: regions.south)
            func reserved() async throws -> [String?] {
                var held: [String?] = []
                for redis in [regions.own, regions.other] {
                    held.append(try await redis.ask("GET", ProjectionKeys.reservedHistory).string)
                }
                return held
            }
            async let first = refusal(west, at: "ap-south")
            async let second = refusal(south, at: "eu-west")
            let refusals = await [first, second]
            #expect(refusals.count { $0 == nil } == 1)
            #expect(refusals.compactMap { $0?.reason }.first?.hasPrefix("another failback or failover runs") == true)
            let isWest = refusals[0] == nil
            let (winner, loser) = isWest ? (west, south) : (south, west)
            let (winnerPeer, loserPeer) = isWest ? ("ap-south", "eu-west") : ("eu-west", "ap-south")
            let held = try await reserved()
            #expect(held[0] == held[1] && held[0]?.hasPrefix("2 \(loserPeer)/") == true)
            for keepsNumber in [false, true] {
                try await loser.release(at: [loserPeer], keepsNumber: keepsNumber)
                #expect(try await reserved() == held)
            }
            // The winner's run is killed: another one of its region need not wait.
            let again = regions.failover(to: isWest ? regions.west : regions.south)
            #expect(await refusal(again, at: winnerPeer) == nil)
            #expect(await refusal(loser, at: loserPeer) != nil)
            try await winner.release(at: [winnerPeer], keepsNumber: false)
            #expect(try await reserved()[0] != nil)
            try await again.release(at: [winnerPeer], keepsNumber: false)
            #expect(try await reserved() == [nil, nil])
            #expect(await refusal(loser, at: loserPeer) == nil)
        }
    }

    @Test("journals that another region projects beyond the cut are counted")
    func beyondCut() async throws {
        try await ThreeRegions.with { regions in
            try await regions.copy(voice, ["5-1"], in: regions.own)
            _ = try await RegionDeclaration(region: "eu-west", down: "us-east", history: 2, redis: regions.own).run()
            let others = OtherRegions(region: regions.west, down: "us-east")
            for (cursor, journals) in [("5-1", 0), ("5-2", 1)] {
                _ = try await regions.other.ask("HSET", "rs:{101}:projection", "voice:us-east", cursor)
                #expect(try await others.beyondCut(of: regions.own) == journals)
            }
        }
    }
}
