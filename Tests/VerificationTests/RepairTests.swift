import Foundation
import Observability
import PostgresClient
import RedisClient
import Testing
import Verification
import Worker

@Suite("Repairs, on real servers", .serialized)
struct RepairTests {
    /// What somebody does to a cache behind the projection's back, and what has to be put right for it.
    private static let tampering: [(command: [String], mends: String)] = [
        (["HSET", "cfg:{102}:thing:2001", "city", "tampered"], "102/thing/2001"),
        (["DEL", "cfg:{101}:thing:2002"], "101/thing/2002"),
        (["HSET", "cfg:{101}:thing:99999", "id", "99999", "name", "added"], "101/thing/99999"),
        (["SADD", "cfg:{101}:thing", "ghost"], "101/thing/ghost"),
        (["SREM", "cfg:{102}:thing", "2003"], "102/thing/2003"),
        (["HDEL", "cfg:{101}:thing:by:name", "thing2004"], "101/thing/2004"),
        (["SREM", "cfg:{102}:thing:by:city:city1", "2003"], "102/thing/2003"),
        (["HSET", "cfg:{101}:thing:by:name", "stale", "2006"], "101/thing by name"),
        (["HSET", "rs:{103}:digest:thing", "5:n", "3", "5:d", "99"], "103/thing bucket 5"),
        (["DEL", "cfg:{101}:bond:7,a\\,\t7"], "101/bond/7,a\\,\t7"),
        (["SADD", "rs:{101}:quarantine", "thing:2008"], "101/thing/2008"),
    ]

    @Test("a cache that was tampered with is put right under load: exactly what was amiss, and then all is equal")
    func tampered() async throws {
        try await LiveRegions.run { live in
            try await live.whileRunning { _ in
                try await live.caughtUp()
                try await live.underLoad {
                    for (command, _) in Self.tampering { try await live.redis(1, command) }
                    let report = try await live.verify(wait: .seconds(40), repairs: true)
                    #expect(report.provisioning.drift == 0, "\(report.text)")
                    #expect(report.repaired.map(\.region) == ["west"])
                    // A deleted hash leaves its index entries and its share of a bucket behind, which are told apart.
                    let objects = Set(report.repaired.flatMap(\.examples))
                    for (_, name) in Self.tampering {
                        #expect(objects.contains(name), "\(name) in \(objects.sorted())")
                    }
                    for name in objects where !name.contains(" ") {
                        #expect(Self.tampering.contains { $0.mends == name }, "\(name) was not amiss")
                    }
                }
                try await live.caughtUp()
                let report = try await live.verify()
                #expect(report.ok, "\(report.text)")
            }
        }
    }

    @Test("a peer's emptied cache is filled again by its worker, marked stale until then")
    func emptied() async throws {
        try await LiveRegions.run(verification: "{delay: 0s, interval: 1h}") { live in
            try await live.whileRunning { _ in try await live.caughtUp() }
            // What the journal keeps does not begin with the snapshot any more.
            try await live.redis(0, ["XTRIM", "rs:{_}:provisioning:east", "MAXLEN", "1"])
            try await live.redis(1, ["FLUSHALL"])
            try await live.sql("UPDATE thing SET city = 'later' WHERE id = 5")
            let key = "rs:{_}:provisioning:east"
            try await live.whileRunning([0]) { _ in
                try await live.caughtUp([0])
                try await live.eventually("the copy goes on behind the gap") {
                    let last = ["XREVRANGE", key, "+", "-", "COUNT", "1"]
                    let (journal, copy) = (try await live.redis(0, last)[0], try await live.redis(1, last)[0])
                    return journal.count > 0 && journal.description == copy.description
                }
            }
            // The worker of the emptied region alone, with a copy whose beginning is gone.
            try await live.whileRunning([1]) { workers in
                try await live.eventually("it says that it is stale") {
                    workers[0].states.state(of: "projection provisioning")?.name == "stale"
                }
                // No worker captures, so that the cursor is moved here, behind everything that PostgreSQL holds.
                let row = try await live.sql("SELECT pg_current_wal_insert_lsn() + 10000000 - '0/0'::pg_lsn AS lsn")
                let lsn: UInt64 = try row[0].integer("lsn")
                try await live.redis(
                    1,
                    [
                        "XADD", key, "\(1 << 52 | lsn)-1", "op", "commit", "count", "0", "end", "1", "xid", "1", "time",
                        "1",
                    ])
                try await live.eventually("it is filled") {
                    try await live.redis(1, ["HEXISTS", "rs:{_}:projection", "stale"])[0].integer == 0
                }
                try await live.eventually("it says so") {
                    workers[0].states.state(of: "projection provisioning")?.name == "projecting"
                        && workers[0].states.state(of: "verification")?.name == "equal"
                }
                let metrics = workers[0].metrics.snapshot()
                #expect(metrics.number(.verifyLastSuccessTimestampSeconds) ?? 0 > 0)
                let report = try await live.verify(wait: .seconds(5))
                #expect(report.provisioning.regions[1].problems.isEmpty, "\(report.text)")
            }
        }
    }

    @Test("what was amiss with the journals is forgotten when a pass that begins later finds all equal")
    func forgetsInexactness() async throws {
        try await LiveRegions.run(verification: "{delay: 0s, interval: 10s}") { live in
            try await live.whileRunning { _ in
                try await live.caughtUp()
                try await live.redis(1, ["HSET", "rs:{_}:projection", "inexact", "incomplete:1:5-1"])
                try await live.eventually("it is forgotten") {
                    try await live.redis(1, ["HEXISTS", "rs:{_}:projection", "inexact"])[0].integer == 0
                }
            }
        }
    }

    @Test("a worker that is not to repair counts what differs, says so, and leaves it")
    func judges() async throws {
        try await LiveRegions.run(verification: "{delay: 0s, interval: 10s, repair: false}") { live in
            try await live.whileRunning { workers in
                try await live.caughtUp()
                try await live.redis(1, ["HSET", "cfg:{101}:thing:2002", "_d", "5"])
                try await live.tamperBucket(of: "2002", tenant: "101", type: "thing", region: 1)
                try await live.eventually("it is said") {
                    workers[1].states.state(of: "verification")?.name == "drift"
                }
                #expect(try await live.redis(1, ["HGET", "cfg:{101}:thing:2002", "_d"])[0].string == "5")
            }
        }
    }

    @Test("counters that are gone hide nothing: what PostgreSQL lacks goes, and they are counted anew")
    func countersGone() async throws {
        try await LiveRegions.run(verification: "{delay: 0s, interval: 10s}") { live in
            try await live.whileRunning { workers in
                try await live.caughtUp()
                // Objects of a tenant that has rows, and of one of which PostgreSQL has none.
                for tenant in ["101", "109"] {
                    try await live.redis(
                        1, ["SADD", "rs:{_}:tenants", tenant], ["SADD", "cfg:{\(tenant)}:thing", "99999"],
                        ["HSET", "cfg:{\(tenant)}:thing:99999", "id", "99999", "_d", "7", "_v", "1"],
                        ["DEL", "rs:{\(tenant)}:digest:thing"])
                }
                try await live.eventually("they are gone") {
                    try await live.redis(
                        1, ["EXISTS", "cfg:{101}:thing:99999"], ["EXISTS", "cfg:{109}:thing:99999"]
                    ).allSatisfy { $0.integer == 0 }
                }
                try await live.eventually("it is counted") {
                    try await live.redis(1, ["EXISTS", "rs:{101}:digest:thing"])[0].integer == 1
                        && workers[1].states.state(of: "verification")?.name == "equal"
                }
                let report = try await live.verify()
                #expect(report.ok, "\(report.text)")
            }
        }
    }
}
