import Capture
import Foundation
import Journal
import Observability
import PostgresClient
import RedisClient
import ServerFixtures
import Testing

@Suite("Capture from a real PostgreSQL into a real Redis", .serialized)
struct CaptureStreamTests {
    private static let notes = "repeat(md5(random()::text), 200)"

    @Test("a first snapshot, then every kind of change")
    func snapshotAndStream() async throws {
        try await CaptureBench.with { bench in
            try await bench.sql(
                """
                INSERT INTO provisioning.person SELECT n, 101 + n % 3, 'p' || n, NULL, 'secret'
                FROM generate_series(1, 1000) n
                """,
                #"UPDATE provisioning.person SET name = E'tab\tback\\slash "quote" new\nline é' WHERE dbid = 5"#,
                "UPDATE provisioning.person SET notes = \(Self.notes) WHERE dbid < 20",
                "INSERT INTO provisioning.level SELECT n, 7, 3, 101 FROM generate_series(1, 50) n")
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                try await bench.sql(
                    "INSERT INTO provisioning.person VALUES (2000, 101, 'new', \(Self.notes), 'secret')",
                    "UPDATE provisioning.person SET name = 'changed' WHERE dbid = 3",
                    "UPDATE provisioning.person SET dbid = 4000 WHERE dbid = 4",
                    "UPDATE provisioning.person SET tenant_dbid = 109, name = 'moved' WHERE dbid = 6",
                    "DELETE FROM provisioning.person WHERE dbid = 8",
                    "TRUNCATE provisioning.level",
                    "INSERT INTO provisioning.level VALUES (1, 2, NULL, 101)",
                    "ALTER TABLE provisioning.person ADD COLUMN email text DEFAULT 'none'",
                    "UPDATE provisioning.person SET email = 'a@b' WHERE dbid BETWEEN 100 AND 110",
                    "ALTER TABLE provisioning.person RENAME name TO full_name",
                    "UPDATE provisioning.person SET full_name = 'x'",
                    "ALTER TABLE provisioning.person DROP COLUMN email",
                    "UPDATE provisioning.person SET full_name = 'y', notes = notes || 'z'",
                    "BEGIN; DELETE FROM provisioning.level; ROLLBACK")
                try await bench.caughtUp()
            }
            let fold = try await bench.folded()
            #expect(fold.operations["patch", default: 0] > 0)
            #expect(fold.operations["truncate"] == 1)
            let person = try #require(fold.objects["person 101/2000"])
            #expect(person.keys.contains("password_hash") == false)
            try await bench.expectInStep()
        }
    }

    @Test("a transaction of 200,000 rows goes through in bounded memory and in order")
    func largeTransaction() async throws {
        try await CaptureBench.with(redisSettings: []) { bench in
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                let key = JournalName.provisioning(origin: "us-east").key
                let length = try await bench.redis("XLEN", key).integer ?? 0
                let before = try Self.residentBytes()
                try await bench.sql(
                    """
                    INSERT INTO provisioning.person SELECT n, 101, 'person number ' || n, repeat('x', 100), NULL
                    FROM generate_series(1, 200000) n
                    """)
                var peak = before
                try await bench.eventually("all of it", within: .seconds(120)) {
                    peak = max(peak, try Self.residentBytes())
                    return try await bench.redis("XLEN", key).integer ?? 0 >= length + 200_001
                }
                try await bench.caughtUp()
                // The rows and their commit.
                #expect(try await bench.redis("XLEN", key).integer == length + 200_001)
                #expect(peak - before < 64 << 20, "grew by \((peak - before) >> 20) MiB")
            }
            let key = JournalName.provisioning(origin: "us-east").key
            let last = try await bench.redis("XREVRANGE", key, "+", "-", "COUNT", "1")
            #expect(last[0]?[1]?[1]?.string == "commit")
            #expect(last[0]?[1]?[3]?.string == "200000")
        }
    }

    @Test("another worker waits while the slot is in use, and takes over when it is free")
    func standby() async throws {
        try await CaptureBench.with { bench in
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                let other = CaptureBench(sharing: bench)
                try await other.whileCapturing {
                    try await other.awaitState("standby")
                    try await bench.sql("INSERT INTO provisioning.person VALUES (1, 101, 'a', NULL, NULL)")
                    try await bench.caughtUp()
                    try await bench.sql(
                        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
                    try await bench.eventually("one streams, one waits") {
                        Set([bench.state?.name, other.state?.name]) == ["streaming", "standby"]
                    }
                    try await bench.sql("INSERT INTO provisioning.person VALUES (2, 101, 'b', NULL, NULL)")
                    try await bench.caughtUp()
                }
            }
            try await bench.expectInStep()
        }
    }

    @Test("traffic of another database never pins WAL")
    func idleAcknowledges() async throws {
        try await CaptureBench.with { bench in
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                try await bench.sql(
                    "CREATE TABLE elsewhere (t text)",
                    "INSERT INTO elsewhere SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
                let row = try #require(try await bench.sql("SELECT pg_current_wal_lsn() AS lsn").first)
                let goal = try row.string("lsn")
                try await bench.eventually("confirmed behind \(goal)") {
                    let rows = try await bench.sql(
                        "SELECT confirmed_flush_lsn >= '\(goal)'::pg_lsn AS confirmed FROM pg_replication_slots")
                    return try rows.first?.boolean("confirmed") ?? false
                }
            }
        }
    }

    private static func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4096
    }
}
