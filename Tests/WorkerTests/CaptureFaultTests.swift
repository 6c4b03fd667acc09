import Capture
import Foundation
import Journal
import Observability
import PostgresClient
import RedisClient
import RegionConfig
import ServerFixtures
import Testing

@Suite("Capture when servers and workers fail", .serialized)
struct CaptureFaultTests {
    /// Writes small transactions until cancelled.
    private static func load(_ bench: CaptureBench) async {
        var number = 0
        while !Task.isCancelled {
            number += 1
            let row = number * 10
            // A server that is down refuses; what it acknowledged must arrive.
            _ = try? await bench.sql(
                """
                INSERT INTO provisioning.person SELECT n, 101, 'load', NULL, NULL
                    FROM generate_series(\(row), \(row + number % 7)) n ON CONFLICT DO NOTHING;
                UPDATE provisioning.person SET name = 'load \(number)' WHERE dbid % 13 = \(number % 13);
                DELETE FROM provisioning.person WHERE dbid % 17 = \(number % 17)
                """)
            // Capture has to catch up with it, however slow the machine is.
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits until the load's next hundreds of entries have come.
    private static func flows(_ bench: CaptureBench) async throws {
        let key = JournalName.provisioning(origin: "us-east").key
        let before = try await bench.redis("XLEN", key).integer ?? 0
        try await bench.eventually("the load comes") { try await bench.redis("XLEN", key).integer ?? 0 > before + 400 }
    }

    @Test("Redis killed, PostgreSQL killed, worker stopped, all under load: every transaction arrives once")
    func survives() async throws {
        try await CaptureBench.with { bench in
            try await bench.sql("INSERT INTO provisioning.person VALUES (1, 101, 'first', NULL, NULL)")
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await bench.whileCapturing {
                    try await bench.awaitState("streaming")
                    group.addTask { await Self.load(bench) }
                    try await Self.flows(bench)
                    await bench.redis.kill()
                    try await bench.awaitState("blocked")
                    try await bench.redis.start()
                    try await bench.awaitState("streaming")
                    try await Self.flows(bench)
                    await bench.postgres.kill()
                    try await bench.eventually("it notices") { bench.state?.name != "streaming" }
                    try await bench.postgres.start()
                    try await bench.awaitState("streaming")
                    try await Self.flows(bench)
                }
                for _ in 0..<3 {
                    try await bench.whileCapturing { try await Self.flows(bench) }
                }
                group.cancelAll()
                try await group.waitForAll()
            }
            try await bench.whileCapturing { try await bench.caughtUp() }
            let fold = try await bench.expectInStep()
            #expect(fold.transactions.count > 10)
        }
    }

    @Test("Redis that loses its last second: what it lost comes again")
    func losesASecond() async throws {
        try await CaptureBench.with(redisSettings: ["appendonly yes", "appendfsync everysec"]) { bench in
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                for number in 1...50 {
                    try await bench.sql("INSERT INTO provisioning.person VALUES (\(number), 101, 'a', NULL, NULL)")
                }
                try await bench.caughtUp()
                // The tail of the append-only file is what a crash of the machine would take.
                await bench.redis.kill()
                try Self.cutAppendOnlyFile(bench, byBytes: 2_000)
                try await bench.redis.start()
                try await bench.sql("INSERT INTO provisioning.person VALUES (99, 101, 'a', NULL, NULL)")
                try await bench.caughtUp()
            }
            try await bench.expectInStep()
        }
    }

    @Test("a snapshot that is cut off begins again, and readers see it from its beginning")
    func brokenSnapshot() async throws {
        try await CaptureBench.with { bench in
            try await bench.sql(
                """
                INSERT INTO provisioning.person SELECT n, 101, repeat('n', 200), NULL, NULL
                FROM generate_series(1, 20000) n
                """)
            let key = JournalName.provisioning(origin: "us-east").key
            try await bench.whileCapturing {
                try await bench.eventually("half of it") {
                    try await bench.redis("XLEN", key).integer ?? 0 > 2_000
                }
            }
            try await bench.sql("DELETE FROM provisioning.person WHERE dbid % 2 = 0")
            try await bench.captureAll()
            try await bench.expectInStep()
        }
    }

    private static func cutAppendOnlyFile(_ bench: CaptureBench, byBytes count: UInt64) throws {
        let folder = bench.redis.folder.appending(path: "appendonlydir")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let name = try #require(names.first { $0.hasSuffix(".incr.aof") })
        let file = try FileHandle(forUpdating: folder.appending(path: name))
        let end = try file.seekToEnd()
        try file.truncate(atOffset: end - min(end, count))
        try file.close()
    }
}

@Suite("Capture names what it cannot go on from", .serialized)
struct CaptureStopTests {
    @Test("from nothing to everything: each thing that is missing has its name, and mends itself once it is there")
    func missingThings() async throws {
        try await CaptureBench.with(schema: "CREATE SCHEMA provisioning") { bench in
            var bench = bench
            bench.settings.stoppedInterval = .milliseconds(100)
            try await bench.whileCapturing {
                try await bench.awaitState("schema-missing")
                // It looks all the while: nothing may be there for a moment that is to be missing.
                try await bench.sql(
                    "DROP SCHEMA provisioning",
                    CaptureBench.schema + "ALTER TABLE provisioning.level RENAME TO levels;")
                try await bench.awaitState("table-missing")
                try await bench.sql(
                    "CREATE PUBLICATION regionsync FOR TABLE provisioning.person",
                    "ALTER TABLE provisioning.levels RENAME TO level")
                try await bench.awaitState("publication-incomplete")
                try await bench.sql(
                    "ALTER PUBLICATION regionsync SET (publish = 'insert')",
                    "ALTER PUBLICATION regionsync ADD TABLE provisioning.level")
                try await bench.awaitState("publication-partial")
                try await bench.sql(
                    "SELECT pg_create_logical_replication_slot('regionsync', 'test_decoding')",
                    "ALTER PUBLICATION regionsync SET (publish = 'insert, update, delete, truncate')")
                try await bench.awaitState("slot-foreign")
                try await bench.sql("SELECT pg_drop_replication_slot('regionsync')")
                try await bench.awaitState("streaming")
                let state = try #require(bench.state)
                #expect(state.health == .working)
            }
        }
    }

    @Test("a table whose identity hides the tenant is refused before anything is copied")
    func replicaIdentity() async throws {
        let schema =
            CaptureBench.schema + "ALTER TABLE provisioning.person DROP CONSTRAINT person_pkey, ADD UNIQUE (dbid);"
        try await CaptureBench.with(schema: schema) { bench in
            try await bench.whileCapturing {
                try await bench.awaitState("replica-identity")
                #expect(bench.state?.advice?.contains("REPLICA IDENTITY") == true)
            }
        }
    }

    @Test("a partition whose identity hides the tenant is refused though its root's does not")
    func partitionIdentity() async throws {
        let schema =
            CaptureBench.schema + """
                DROP TABLE provisioning.level;
                CREATE TABLE provisioning.level (
                    person_dbid bigint, skill_dbid bigint, level int, tenant_dbid bigint NOT NULL,
                    PRIMARY KEY (tenant_dbid, person_dbid, skill_dbid)) PARTITION BY HASH (tenant_dbid);
                CREATE TABLE provisioning.level_0 PARTITION OF provisioning.level FOR VALUES WITH (MODULUS 2, REMAINDER 0);
                CREATE TABLE provisioning.level_1 PARTITION OF provisioning.level FOR VALUES WITH (MODULUS 2, REMAINDER 1);
                ALTER TABLE provisioning.level_1 REPLICA IDENTITY NOTHING;
                """
        try await CaptureBench.with(schema: schema) { bench in
            var bench = bench
            bench.settings.stoppedInterval = .milliseconds(100)
            try await bench.whileCapturing {
                try await bench.awaitState("replica-identity")
                try await bench.sql("ALTER TABLE provisioning.level_1 REPLICA IDENTITY DEFAULT")
                try await bench.awaitState("streaming")
            }
        }
    }

    @Test("another region captures: wait and say so, skip nothing")
    func positions() async throws {
        try await CaptureBench.with { bench in
            var bench = bench
            bench.settings.stoppedInterval = .milliseconds(100)
            try await bench.captureAll("INSERT INTO provisioning.person VALUES (1, 101, 'a', NULL, NULL)")
            try await bench.sql("UPDATE regionsync.history SET capture_region = 'eu-west'")
            try await bench.whileCapturing { try await bench.awaitState("other-region") }
            try await bench.sql("UPDATE regionsync.history SET capture_region = 'us-east'")
            try await bench.captureAll()
            try await bench.expectInStep()
        }
    }

    @Test("without a projection, a slot that is gone, a journal set back and an emptied Redis make it copy everything")
    func resnapshots() async throws {
        try await CaptureBench.with { bench in
            let meta = JournalName.provisioning(origin: "us-east").metaKey
            try await bench.captureAll("INSERT INTO provisioning.person VALUES (1, 101, 'a', NULL, NULL)")
            let position = try await bench.position()
            try await bench.redis("HSET", meta, "position", "\(position.number - 1_000_000)")
            for number in 2...3 {
                try await bench.sql(
                    "DELETE FROM provisioning.person", "INSERT INTO provisioning.person VALUES (\(number), 101, 'b')")
                try await bench.captureAll()
                try await bench.expectInStep()
                try await bench.dropSlot()
            }
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                try await bench.redis("FLUSHALL")
                try await bench.eventually("it begins anew") {
                    try await bench.redis("HGET", meta, "position").string != nil
                }
                try await bench.caughtUp()
            }
            try await bench.expectInStep()
        }
    }

    @Test("another timeline: the next history begins with a snapshot, and what PostgreSQL lost is gone")
    func otherTimeline() async throws {
        try await CaptureBench.with { bench in
            try await bench.captureAll("INSERT INTO provisioning.person VALUES (1, 101, 'a'), (2, 101, 'b')")
            let before = try await bench.position()
            // As if the row had never come to the server that was promoted.
            try await bench.sql("DELETE FROM provisioning.person WHERE dbid = 1")
            try await bench.sql("UPDATE regionsync.history SET timeline = 9")
            try await bench.captureAll()
            let after = try await bench.position()
            #expect(before.history == 1 && after.history == 2)
            let rows = try await bench.sql("SELECT number, timeline, capture_region FROM regionsync.history ORDER BY 1")
            #expect(rows.map { [$0[0], $0[1], $0[2]] } == [["1", "9", "us-east"], ["2", "1", "us-east"]])
            try await bench.expectInStep()
        }
    }

    @Test("PostgreSQL set back on its timeline: the next history begins with a snapshot")
    func wentBack() async throws {
        try await CaptureBench.with { bench in
            let meta = JournalName.provisioning(origin: "us-east").metaKey
            try await bench.captureAll("INSERT INTO provisioning.person VALUES (1, 101, 'a', NULL, NULL)")
            let position = try await bench.position()
            try await bench.redis("HSET", meta, "position", "\(position.number + 1_000_000_000)")
            try await bench.captureAll()
            let after = try await bench.position()
            #expect(after.history == 2)
            try await bench.expectInStep()
        }
    }

    @Test("a mirror that is first after Redis was emptied, or at all, changes nothing of that")
    func mirrorIsFirst() async throws {
        let meta = JournalName.provisioning(origin: "us-east").metaKey
        let born = "redis.call('HSET', '\(meta)', 'birth', 'us-east-1', 'floor', '0-0')"
        try await CaptureBench.with { bench in
            try await bench.redis("EVAL", born, "0")
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                try await bench.redis("EVAL", "redis.call('FLUSHALL') \(born)", "0")
                try await bench.eventually("it begins anew") {
                    try await bench.redis("HGET", meta, "position").string != nil
                }
                try await bench.caughtUp()
            }
            try await bench.expectInStep()
        }
    }

    @Test("a stop on the way clears by itself once it is mended")
    func clearsByItself() async throws {
        try await CaptureBench.with { bench in
            var bench = bench
            bench.settings.stoppedInterval = .milliseconds(100)
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                try await bench.redis("ACL", "SETUSER", "default", "-fcall")
                try await bench.sql("INSERT INTO provisioning.person VALUES (1, 101, 'a', NULL, NULL)")
                try await bench.awaitState("redis-unexpected")
                try await bench.redis("ACL", "SETUSER", "default", "+fcall")
                try await bench.awaitState("streaming")
                try await bench.caughtUp()
            }
            try await bench.expectInStep()
        }
    }

    @Test("what the slot costs is watched while capture stands still, and too much of it is said")
    func watchesTheSlot() async throws {
        try await CaptureBench.with { bench in
            var bench = bench
            bench.settings.stoppedInterval = .milliseconds(100)
            bench.settings.sampleInterval = .milliseconds(100)
            bench.settings.retainedWALLimit = 32 << 20
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                try await bench.eventually("the slot is seen") { bench.slotState?.name == "retains" }
                try await bench.sql("ALTER PUBLICATION regionsync SET (publish = 'insert')")
                try await bench.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
                try await bench.awaitState("publication-partial")
                try await bench.sql(
                    "INSERT INTO provisioning.unpublished SELECT generate_series(1, 1000000)")
                try await bench.eventually("it is too much") {
                    bench.slotState?.health == .degraded && bench.retainedBytes ?? 0 > Double(32 << 20)
                }
                try await bench.sql("UPDATE regionsync.history SET capture_region = 'eu-west'")
                try await bench.eventually("it is another region's") {
                    bench.slotState == nil && bench.retainedBytes == nil
                }
            }
        }
    }

    @Test("a journal whose stream is gone while its meta is there: a fork, and capture writes no more")
    func forked() async throws {
        try await CaptureBench.with { bench in
            let key = JournalName.provisioning(origin: "us-east").key
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                try await bench.redis("DEL", key)
                try await bench.sql("INSERT INTO provisioning.person VALUES (1, 101, 'a')")
                try await bench.awaitState("journal-forked")
            }
        }
    }
}
