import Failover
import Journal
import NIOPosix
import PostgresClient
import Projection
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing
import VoiceEvents

@testable import FailoverAdapters

/// The surviving region's Redis, and a region file that names it.
private struct Survivor {
    let server: RedisServer
    let region: Region

    static func with(_ body: (Survivor, SurvivorRedis) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let survivor = Survivor(server: server, region: try region(server.port, peer: 1))
            let redis = try await SurvivorRedis.connect(survivor.region)
            defer { redis.close() }
            try await body(survivor, redis)
        }
    }

    static func region(_ port: Int, peer: Int) throws -> Region {
        try RegionFile.parse(
            """
            region: eu-west
            redis: {host: 127.0.0.1, port: \(port), connectTimeout: 30s}
            peers: [{region: us-east, redis: {host: 127.0.0.1, port: \(peer), connectTimeout: 30s}}]
            postgres: {host: 127.0.0.1, port: 1, database: d, user: u}
            tenants: [101, 102]
            catalog: [{table: public.thing, type: thing, key: [id], tenant: tenant}]
            """, file: "eu-west.yaml", surroundings: .init(environment: [:]) { _ in "" })
    }
}

@Suite("What a failover changes in the survivor's Redis", .serialized)
struct SurvivorTests {
    private let east = JournalName.voice(tenant: "101", origin: "us-east")
    private let west = JournalName.voice(tenant: "101", origin: "eu-west")

    /// Waits until `condition` holds, at most a minute.
    private func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await !condition() {
            try #require(ContinuousClock.now < deadline, "in vain: \(what)")
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// A copy that ends at `last`, projected up to `projected`.
    private func copy(_ last: String, count: Int, projected: String, _ redis: SurvivorRedis) async throws {
        _ = try await redis.ask("HSET", east.metaKey, "birth", "b", "last", last, "count", "\(count)")
        _ = try await redis.ask("HSET", "rs:{101}:projection", "voice:us-east", projected)
    }

    private func call(_ id: String, region: String, _ redis: SurvivorRedis) async throws {
        var call = CallMachine(connID: id, region: region)
        for dn in ["1", "2"] {
            var event = VoiceEvent(.ringing, key: id)
            event.connID = id
            event.thisDN = dn
            event.callType = .inbound
            event.time = 1
            _ = call.eventRead(event, at: EntryID(first: 5, second: 0), from: region)
        }
        let words = call.fields.flatMap { [$0.0, $0.1] }
        _ = try await redis.ask([RedisCommand(["HSET", "call:{101}:\(id)"] + words)])
        _ = try await redis.ask("SADD", "calls:{101}:active", id)
    }

    private func declare(_ redis: SurvivorRedis, history: UInt64 = 2) async throws -> DeclaredCut {
        try await RegionDeclaration(region: "eu-west", down: "us-east", history: history, redis: redis).run()
    }

    private func close(_ redis: SurvivorRedis, history: UInt64 = 2) async throws -> ClosedOrphans {
        try await OrphanAppending(region: "eu-west", down: "us-east", history: history, redis: redis).run()
    }

    private func appended(_ redis: SurvivorRedis) async throws -> [[String]] {
        try await redis.ask("XRANGE", west.key, "-", "+").elements.map { entry in
            entry[1]?.elements.compactMap(\.string) ?? []
        }
    }

    @Test("the journals end where the copies end, and that is declared once; what comes later moves nothing")
    func declares() async throws {
        try await Survivor.with { _, redis in
            try await copy("7-3", count: 40, projected: "7-3", redis)
            let cut = try await declare(redis)
            #expect(cut == DeclaredCut(journals: 1, entries: 40, wasDeclared: false))
            try await copy("9-1", count: 55, projected: "7-3", redis)
            #expect(try await declare(redis) == DeclaredCut(journals: 1, entries: 40, wasDeclared: true))
            #expect(try await redis.ask("HGET", "rs:{101}:projection", "cut:voice:us-east").string == "7-3 40")
            #expect(try await redis.ask("HGET", "rs:{102}:projection", "cut:voice:us-east").string == "0-0 0")
            let entries = try await redis.ask("XRANGE", "rs:{_}:control:eu-west", "-", "+").elements
            let words = entries.map { $0[1]?.elements.compactMap(\.string) ?? [] }
            #expect(words.count == 1)
            #expect(words[0].prefix(4) == ["event", "region-declared-down", "key", "us-east"])
            let note = try await redis.ask("HGET", "rs:{_}:projection", "down:us-east").string
            #expect(note == "2 \(Array(entries)[0][0]?.string ?? "")")
        }
    }

    @Test("open calls and agents of the region are closed behind the cut, each once; others are left alone")
    func closes() async throws {
        try await Survivor.with { _, redis in
            try await copy("7-3", count: 40, projected: "7-3", redis)
            for number in 0..<150 { try await call("c\(number)", region: "us-east", redis) }
            try await call("other", region: "eu-west", redis)
            var agent = AgentMachine(agentID: "a1")
            var login = VoiceEvent(.agentLogin, key: "a1")
            login.agentID = "a1"
            login.thisDN = "9"
            _ = agent.eventRead(login, at: EntryID(first: 6, second: 0), from: "us-east")
            _ = try await redis.ask([
                RedisCommand(["HSET", "agent:{101}:a1"] + agent.fields.flatMap { [$0.0, $0.1] })
            ])
            _ = try await declare(redis)
            #expect(try await close(redis) == ClosedOrphans(calls: 150, agents: 1, events: 301))
            let events = try await appended(redis)
            #expect(events.count == 301)
            #expect(Set(events.map { "\($0[3]) \($0[5])" }).count == 301)
            #expect(!events.contains { $0[3] == "other" })
            // The worker has not projected them yet: the calls are open still.
            #expect(try await close(redis) == ClosedOrphans(calls: 0, agents: 0, events: 0))
            #expect(try await appended(redis).count == 301)
        }
    }

    @Test("cut off between two calls it goes on behind the last subject")
    func cutOff() async throws {
        try await Survivor.with { _, redis in
            try await copy("7-3", count: 40, projected: "7-3", redis)
            for id in ["c1", "c2", "c3"] { try await call(id, region: "us-east", redis) }
            _ = try await declare(redis)
            // As if a run had died when it had appended what closes the first two.
            _ = try await redis.ask("HSET", "rs:{101}:projection", "orphans:us-east", "2 call c2")
            #expect(try await close(redis) == ClosedOrphans(calls: 1, agents: 0, events: 2))
            #expect(Set(try await appended(redis).map { $0[3] }) == ["c3"])
            #expect(try await redis.ask("HGET", "rs:{101}:projection", "orphans:us-east").string == "2")
            // Another incident, another history.
            _ = try await declare(redis, history: 4)
            #expect(try await close(redis, history: 4) == ClosedOrphans(calls: 3, agents: 0, events: 6))
        }
    }

    @Test("what the region holds: journals, histories, and the rate that probes show")
    func holding() async throws {
        try await Survivor.with { survivor, redis in
            try await copy("7-3", count: 40, projected: "7-3", redis)
            let region = RedisFailoverRegion(
                region: survivor.region, database: .init(host: "127.0.0.1", port: 1, database: "d", user: "u"))
            var found = try await region.holding(of: "us-east")
            #expect(found == FoundHolding(heard: nil, voice: 40, journals: 1, history: 0, declared: nil))
            let id = EntryID(first: Position(history: 3, lsn: 8)?.number ?? 0, second: 1)
            _ = try await redis.ask("XADD", "rs:{_}:provisioning:us-east", "\(id)", "op", "commit")
            let control = JournalName.control(origin: "us-east").key
            for (time, peer, voice) in [
                (500, "eu-west", 10), (1000, "eu-west", 10), (2000, "eu-west", 40), (2000, "ap", 900),
                (4000, "eu-west", 50),
            ] {
                _ = try await redis.ask(
                    "XADD", control, "\(time)-\(voice)", "event", "probe", "key", peer, "voice", "\(voice)",
                    "provisioning", "0")
            }
            // The region lives, and does not know what it has.
            _ = try await redis.ask("XADD", control, "4500-0", "event", "probe", "key", "eu-west")
            let time = try await redis.ask("TIME").elements.compactMap { $0.string.flatMap { Int64($0) } }
            let heard = RegionHeard(
                time: time[0] * 1000, entry: .zero, heartbeat: Heartbeat(peer: "eu-west", voice: 50, provisioning: 0))
            _ = try await redis.ask(
                "HSET", "rs:{_}:projection", "heard:us-east", heard.description, "down:us-east", "2 5-0")
            found = try await region.holding(of: "us-east")
            #expect(found.history == 3 && found.declared == 2)
            #expect(found.heard?.voice == 50 && found.heard?.rate == 30)
            #expect(found.heard.map { $0.age >= .zero } == true)
        }
    }

    /// Whether us-east lives, whose Redis cannot be reached, while its signs are left here again and again.
    private func lives(
        _ survivor: Survivor, _ leave: @escaping @Sendable (_ number: Int) async throws -> Void
    ) async throws -> Bool {
        let region = RedisFailoverRegion(
            region: try Survivor.region(survivor.server.port, peer: freePort()),
            database: .init(host: "127.0.0.1", port: 1, database: "d", user: "u"))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var number = 0
                while !Task.isCancelled {
                    number += 1
                    try await leave(number)
                    try? await Task.sleep(for: .milliseconds(5))
                }
            }
            // On a busy machine a sign may be left too late for the first look.
            var lives = false
            for _ in 0..<3 where !lives { lives = try await region.lives("us-east") }
            group.cancelAll()
            return lives
        }
    }

    @Test("a region lives whose probes or knocks come, also where it cannot be reached; one that is silent does not")
    func lives() async throws {
        try await Survivor.with { survivor, redis in
            let control = JournalName.control(origin: "us-east").key
            let knock = knockKey(from: "us-east")
            _ = try await redis.ask("XADD", control, "*", "event", "probe", "key", "eu-west")
            _ = try await redis.ask("SET", knock, "7 5")
            let silent = try await lives(survivor) { _ in }
            #expect(!silent)
            // Without counts.
            let probed = try await lives(survivor) { _ in
                _ = try await redis.ask("XADD", control, "*", "event", "probe", "key", "eu-west")
            }
            #expect(probed)
            let knocked = try await lives(survivor) { number in
                _ = try await redis.ask("SET", knock, "\(7 + number) 5")
            }
            #expect(knocked)
            // What this region leaves itself is no sign of the other one.
            let own = try await lives(survivor) { number in
                _ = try await redis.ask("SET", knockKey(from: "eu-west"), "\(number) 5")
                _ = try await redis.ask("XADD", "rs:{_}:control:eu-west", "*", "event", "probe", "key", "us-east")
            }
            #expect(!own)
        }
    }

    @Test("a region that came back closes what it left open, and peers go on behind it; the tail is counted and kept")
    func rejoins() async throws {
        try await RedisServer.with { other in
            try await Survivor.with { survivor, redis in
                let region = try Survivor.region(survivor.server.port, peer: other.port)
                let peer = try await SurvivorRedis.connect(region, at: region.peers[0])
                defer { peer.close() }
                // The survivor here is the region that came back: what it wrote last has 3 entries beyond the cut.
                try await call("c1", region: "eu-west", redis)
                _ = try await redis.ask("HSET", "rs:{_}:projection", "down:eu-west", "2 5000-0")
                _ = try await redis.ask("XADD", west.key, "9-1", "a", "b")
                _ = try await redis.ask("HSET", "rs:{101}:projection", "voice:eu-west", "9-1")
                _ = try await peer.ask("HSET", west.metaKey, "last", "9-1", "count", "43")
                _ = try await peer.ask(
                    "HSET", "rs:{101}:projection", "voice:eu-west", "7-3", "cut:voice:eu-west", "7-3 40")
                _ = try await peer.ask("HSET", "rs:{_}:projection", "down:eu-west", "2 5000-0")
                let returning = RegionReturn(region: region, run: "r1", redis: redis)
                #expect(try await returning.found() == FoundReturn(written: 0, behind: 0))
                // Nobody mirrors here: what closes the call has to be carried over by hand.
                async let rejoined = returning.rejoin(history: 2, captures: false)
                try await eventually("what closes it is appended") { try await appended(redis).count >= 3 }
                #expect(try await appended(redis).count == 3)
                let last = try await redis.ask("XREVRANGE", west.key, "+", "-", "COUNT", "1")[0]?[0]?.string
                _ = try await peer.ask("HSET", west.metaKey, "last", last ?? "", "count", "45")
                #expect(try await rejoined == RejoinedJournals(journals: 1, withheld: 5))
                let state = try await peer.ask(
                    "HMGET", "rs:{101}:projection", "voice:eu-west", "cut:voice:eu-west", "tail:voice:eu-west")
                #expect(state.elements.map(\.string) == [last, nil, "7-3 5 \(last ?? "")"])
                #expect(try await peer.ask("GET", "rs:{_}:reserved-history").string == "3 r1")
                try await RegionReturn.unreserve(region, run: "r1", keepsNumber: false)
                #expect(try await peer.ask("EXISTS", "rs:{_}:reserved-history").integer == 0)
                let control = try await peer.ask("XRANGE", "rs:{_}:control:us-east", "-", "+")
                #expect(control[0]?[1]?.elements.compactMap(\.string).prefix(2) == ["event", "region-rejoined"])
                // Once more: there is nothing left to do, and nothing is said twice.
                _ = try await redis.ask("HSET", "rs:{101}:projection", "voice:eu-west", last ?? "")
                let again = try await returning.rejoin(history: 2, captures: false)
                #expect(again == RejoinedJournals(journals: 0, withheld: 0))
                #expect(try await peer.ask("XLEN", "rs:{_}:control:us-east").integer == 1)
            }
        }
    }

    @Test("of two failbacks the later one is refused and takes nothing from the other; one that has ended hinders none")
    func reserves() async throws {
        try await RedisServer.with { other in
            try await Survivor.with { survivor, redis in
                let region = try Survivor.region(survivor.server.port, peer: other.port)
                let peer = try await SurvivorRedis.connect(region, at: region.peers[0])
                defer { peer.close() }
                func rejoin(_ run: String, history: UInt64) async -> FailoverFailure? {
                    let returning = RegionReturn(region: region, run: run, redis: redis)
                    do throws(FailoverFailure) {
                        _ = try await returning.rejoin(history: history, captures: true)
                        return nil
                    } catch {
                        return error
                    }
                }
                func reserved() async throws -> String? {
                    try await peer.ask("GET", "rs:{_}:reserved-history").string
                }
                func seconds() async throws -> Int64 {
                    try await peer.ask("TTL", "rs:{_}:reserved-history").integer ?? 0
                }
                #expect(await rejoin("r1", history: 2) == nil)
                #expect(try await reserved() == "3 r1")
                _ = try await peer.ask("HSET", "rs:{_}:projection", "down:eu-west", "2 5000-0")
                guard case .failed(let reason)? = await rejoin("r2", history: 2) else {
                    Issue.record("two failbacks run")
                    return
                }
                #expect(reason.hasPrefix("another failback or failover runs"))
                #expect(try await peer.ask("HEXISTS", "rs:{_}:projection", "down:eu-west").integer == 1)
                for keepsNumber in [false, true] {
                    try await RegionReturn.unreserve(region, run: "r2", keepsNumber: keepsNumber)
                    #expect(try await reserved() == "3 r1")
                }
                // A step that is tried again finds its own.
                #expect(await rejoin("r1", history: 2) == nil)
                #expect(try await seconds() > 0)
                try await RegionReturn.unreserve(region, run: "r1", keepsNumber: true)
                #expect(try await reserved() == "3")
                #expect(try await seconds() > 0)
                #expect(await rejoin("r2", history: 2) == nil)
                #expect(try await reserved() == "3 r2")
                // It has passed: the third history is there.
                #expect(await rejoin("r3", history: 3) == nil)
                #expect(try await reserved() == "4 r3")
            }
        }
    }

    @Test("a region that captures again keeps its calls, and rejoins where a peer still ends its journals")
    func rejoinsCapturing() async throws {
        try await RedisServer.with { other in
            try await Survivor.with { survivor, redis in
                let region = try Survivor.region(survivor.server.port, peer: other.port)
                let peer = try await SurvivorRedis.connect(region, at: region.peers[0])
                defer { peer.close() }
                try await call("c1", region: "eu-west", redis)
                _ = try await redis.ask("XADD", west.key, "9-1", "a", "b")
                _ = try await peer.ask("HSET", west.metaKey, "last", "9-0", "count", "43")
                _ = try await peer.ask(
                    "HSET", "rs:{101}:projection", "voice:eu-west", "7-3", "cut:voice:eu-west", "7-3 40")
                let returning = RegionReturn(region: region, run: "r1", redis: redis)
                let rejoined = try await returning.rejoin(history: 3, captures: true)
                #expect(rejoined == RejoinedJournals(journals: 1, withheld: 3))
                #expect(try await redis.ask("XLEN", west.key).integer == 1)
            }
        }
    }

    @Test("a region that came back projects what it wrote last before anything of it is closed")
    func awaitsOwn() async throws {
        try await Survivor.with { _, redis in
            _ = try await redis.ask("HSET", "rs:{_}:projection", "down:eu-west", "2 5000-0")
            _ = try await redis.ask("XADD", west.key, "9-1", "a", "b")
            _ = try await redis.ask("HSET", "rs:{101}:projection", "voice:eu-west", "8-0")
            async let closed = OrphanAppending(
                region: "eu-west", down: "eu-west", history: 2, redis: redis
            ).run()
            try await eventually("it looks at the journal's end again and again") {
                let statistics = try await redis.ask("INFO", "commandstats").string ?? ""
                let calls = statistics.split(separator: "cmdstat_xrevrange:calls=").dropFirst().first
                return calls.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0 >= 3
            }
            try await call("c1", region: "eu-west", redis)
            _ = try await redis.ask("HSET", "rs:{101}:projection", "voice:eu-west", "9-1")
            #expect(try await closed == ClosedOrphans(calls: 1, agents: 0, events: 2))
        }
    }

    @Test("a region whose journals are written to, or not mirrored, is told so")
    func returning() async throws {
        try await RedisServer.with { other in
            try await Survivor.with { survivor, redis in
                let region = try Survivor.region(survivor.server.port, peer: other.port)
                _ = try await redis.ask("XADD", west.key, "9-1", "a", "b")
                let returning = RegionReturn(region: region, run: "r1", redis: redis)
                #expect(try await returning.found() == FoundReturn(written: 0, behind: 1))
                let found = try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        while !Task.isCancelled {
                            _ = try await redis.ask("XADD", west.key, "*", "a", "b")
                            try? await Task.sleep(for: .milliseconds(20))
                        }
                    }
                    let found = try await returning.found()
                    group.cancelAll()
                    return found
                }
                #expect(found == FoundReturn(written: 1, behind: 1))
            }
        }
    }

    @Test("a replica is no survivor")
    func replica() async throws {
        try await Survivor.with { survivor, redis in
            _ = try await redis.ask("REPLICAOF", "127.0.0.1", "1")
            await #expect(throws: FailoverFailure.self) { try await SurvivorRedis.connect(survivor.region) }
        }
    }
}
