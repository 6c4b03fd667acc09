import Foundation
import PostgresClient
import ServerFixtures
import Testing
import Verification

@Suite("Verify: PostgreSQL against each region's cache, on real servers", .serialized)
struct CacheVerificationTests {
    private struct Fault {
        let commands: [[String]]
        let problems: [String: Int]
        let example: String

        init(_ commands: [String]..., finds problems: [String: Int], saying example: String) {
            self.commands = commands
            self.problems = problems
            self.example = example
        }
    }

    /// What is done to west's cache, and what must be said of it.
    private static let faults = [
        Fault(
            ["HSET", "cfg:{101}:thing:40", "good", "maybe"],
            finds: ["different": 1], saying: "101/thing/40 differs in good"),
        Fault(
            ["HDEL", "cfg:{101}:thing:8", "city"], ["HSET", "cfg:{101}:thing:6", "city", ""],
            finds: ["different": 2, "stale-index": 1], saying: "101/thing/8 differs in city"),
        Fault(
            ["HSET", "cfg:{101}:thing:40", "secret", "secret"],
            finds: ["different": 1], saying: "101/thing/40 differs in secret"),
        Fault(
            ["HSET", "cfg:{101}:thing:40", "_d", "1"], finds: ["different": 1], saying: "101/thing/40 differs in _d"),
        Fault(
            ["DEL", "cfg:{102}:thing:41"], finds: ["missing": 1, "stale-index": 2],
            saying: "102/thing/41 is in PostgreSQL and not"),
        Fault(
            ["DEL", "cfg:{101}:bond:3,a\\,b3"], finds: ["missing": 1], saying: #"101/bond/3,a\,b3 is in PostgreSQL"#),
        Fault(
            ["HSET", "cfg:{101}:thing:9999", "id", "9999"], finds: ["extra": 1],
            saying: "101/thing/9999 is in the cache and not in PostgreSQL"),
        Fault(["SADD", "cfg:{101}:thing", "ghost"], finds: ["extra": 1], saying: "101/thing/ghost is in the cache"),
        Fault(["SADD", "cfg:{103}:thing", "1"], finds: ["extra": 1], saying: "103/thing/1 is in the cache"),
        Fault(
            ["SREM", "cfg:{101}:thing", "40"], finds: ["unlisted": 1], saying: "is not in the set of its type's IDs"),
        Fault(
            ["HDEL", "cfg:{101}:thing:by:name", "thing40"], finds: ["unindexed": 1],
            saying: "101/thing/40 is not named by the index over name"),
        Fault(["SREM", "cfg:{101}:thing:by:city:city5", "40"], finds: ["unindexed": 1], saying: "the index over city"),
        Fault(
            ["HSET", "cfg:{101}:thing:by:name", "old", "40"], ["SADD", "cfg:{102}:thing:by:city:gone", "41"],
            finds: ["stale-index": 2], saying: "101/thing/40 is named by the index over name under a value it does not"),
        Fault(
            ["HINCRBY", "rs:{102}:digest:thing", "5:d", "1"], ["HINCRBY", "rs:{102}:digest:bond", "6:n", "1"],
            finds: ["digest": 2], saying: "102/thing has other objects in bucket 5"),
        Fault(
            ["HSET", "rs:{103}:digest:thing", "5:n", "1", "5:d", "9"], finds: ["digest": 1],
            saying: "103/thing has other objects in bucket 5"),
        Fault(
            ["HSET", "rs:{103}:digest:nothing", "5:n", "1"], finds: ["foreign-key": 1],
            saying: "rs:{103}:digest:nothing belongs to no table"),
        Fault(
            ["HSET", "rs:{101}:projection", "provisioning", "7", "applying", "8"],
            ["HSET", "rs:{103}:projection", "applying", "8"], finds: ["half-applied": 2],
            saying: "103 has a transaction that is applied in part"),
        Fault(
            ["SADD", "rs:{101}:quarantine", "thing:a:b"], finds: ["quarantined": 1],
            saying: "101/thing/a:b could not be projected"),
        Fault(
            ["SET", "cfg:{101}:nothing:1", "x"], finds: ["foreign-key": 1],
            saying: "cfg:{101}:nothing:1 belongs to no table"),
    ]

    @Test("equal caches are equal; each fault is found, named, and found in its region only")
    func faults() async throws {
        try await TwoRegions.run { regions in
            let clean = try await regions.verify()
            #expect(clean.ok, "\(clean.text)")
            #expect(clean.provisioning.objects == 320)
            for fault in Self.faults {
                for command in fault.commands { try await regions.redis(1, command) }
                let report = try await regions.verify()
                #expect(!report.ok)
                #expect(report.provisioning.regions[0].problems.isEmpty)
                #expect(report.provisioning.regions[1].problems == fault.problems, "\(fault.commands) \(report.text)")
                #expect(report.text.contains(fault.example), "\(report.text)")
                #expect(report.provisioning.drift == fault.problems.values.reduce(0, +))
                try await regions.fillCaches()
            }
        }
    }

    @Test("what is under way gets time to arrive; what is lacking for good counts when time is up")
    func waits() async throws {
        try await TwoRegions.run { regions in
            try await regions.database.query("UPDATE thing SET city = 'elsewhere' WHERE id = 40")
            async let late: Void = {
                try await Task.sleep(for: .milliseconds(700))
                try await regions.fillCaches()
            }()
            let report = try await regions.verify(wait: .seconds(60))
            try await late
            #expect(report.ok, "\(report.text)")

            try await regions.database.query("DELETE FROM thing WHERE id = 40")
            let stale = try await regions.verify(wait: .seconds(1))
            #expect(stale.provisioning.regions[0].problems == ["extra": 1, "digest": 1], "\(stale.text)")
        }
    }

    @Test("a difference counts at once when the region has projected all that PostgreSQL committed")
    func settled() async throws {
        try await TwoRegions.run { regions in
            try await regions.database.query(
                """
                CREATE SCHEMA regionsync;
                CREATE TABLE regionsync.history (number integer, capture_region text);
                INSERT INTO regionsync.history VALUES (1, 'east');
                """)
            // History 1, LSN far ahead.
            let position = UInt64(1) << 52 | 0xffff_ffff_ffff
            try await regions.redis(
                0, ["HSET", "rs:{_}:provisioning:east:meta", "position", "\(position)", "last", "\(position - 9)-3"],
                ["HSET", "rs:{_}:projection", "provisioning", "\(position - 9)"],
                ["HSET", "cfg:{101}:thing:40", "good", "maybe"])
            try await regions.redis(
                1, ["HSET", "rs:{_}:projection", "provisioning", "\(position - 9)"])
            let report = try await regions.verify(wait: .seconds(60))
            #expect(report.provisioning.regions[0].problems == ["different": 1], "\(report.text)")
        }
    }

    @Test("what keeps it from looking is an error of its own")
    func cannotLook() async throws {
        try await TwoRegions.run { regions in
            await #expect(throws: VerificationError.unknownDown(region: "mars", known: ["east", "west"])) {
                try await Verifier(regions: [regions.regions[0]], down: ["west", "mars"]).run()
            }
            for folder in ["/nonexistent", "/dev/null"] {
                await #expect(throws: VerificationError.ledger("there is no folder \(folder)")) {
                    try await regions.verify(ledger: folder)
                }
            }
            try await regions.database.query("ALTER PUBLICATION regionsync DROP TABLE bond")
            await #expect(throws: VerificationError.notPublished(table: "public.bond", publication: "regionsync")) {
                try await regions.verify()
            }
            await regions.servers[1].stop()
            let error = await #expect(throws: VerificationError.self) { try await regions.verify() }
            #expect(error.map { "\($0)" }?.hasPrefix("Redis of region west: cannot connect") == true)
        }
    }
}
