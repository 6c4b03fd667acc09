import Capture
import Journal
import Observability
import RedisClient
import Testing

@Suite("What changes in PostgreSQL, and in the journal, while capture streams", .serialized)
struct CaptureSurveyTests {
    private static let meta = JournalName.provisioning(origin: "us-east").metaKey

    /// Streams with two rows, has `change` done, and everything in the journal behind it.
    private func whileStreaming(_ change: (CaptureBench) async throws -> Void) async throws {
        try await CaptureBench.with { bench in
            var bench = bench
            bench.settings.stoppedInterval = .milliseconds(100)
            bench.settings.surveyInterval = .milliseconds(100)
            try await bench.whileCapturing {
                try await bench.awaitState("streaming")
                try await bench.sql("INSERT INTO provisioning.person VALUES (1, 101, 'a'), (2, 101, 'b')")
                try await bench.caughtUp()
                try await change(bench)
                try await bench.awaitState("streaming")
                try await bench.caughtUp()
            }
            try await bench.expectInStep()
        }
    }

    /// Waits for a comparison other than the first snapshot.
    private func compared(_ bench: CaptureBench, _ causes: String...) async throws {
        try await bench.eventually("a comparison for \(causes)") {
            let counts = bench.metrics.snapshot()
            return causes.contains { counts.number(.captureResnapshots, [.cause: $0]) ?? 0 > 0 }
        }
    }

    @Test("kinds of change that were not published: a named stop, and what was hidden is found")
    func partial() async throws {
        try await whileStreaming { bench in
            try await bench.sql(
                "ALTER PUBLICATION regionsync SET (publish = 'insert')",
                "DELETE FROM provisioning.person WHERE dbid = 1")
            try await bench.awaitState("publication-partial")
            try await bench.sql("ALTER PUBLICATION regionsync SET (publish = 'insert, update, delete, truncate')")
            try await compared(bench, "shown-otherwise")
        }
    }

    @Test("a table that left the publication and came back before anybody looked: what was hidden is found")
    func leftAndCameBack() async throws {
        try await whileStreaming { bench in
            try await bench.sql(
                "ALTER PUBLICATION regionsync DROP TABLE provisioning.person",
                "INSERT INTO provisioning.person VALUES (3, 101, 'hidden')",
                "ALTER PUBLICATION regionsync ADD TABLE provisioning.person")
            try await compared(bench, "shown-otherwise")
        }
    }

    @Test("a publication that was dropped and made again: what the slot cannot show any more is found")
    func madeAgain() async throws {
        try await whileStreaming { bench in
            try await bench.sql(
                "DROP PUBLICATION regionsync", "INSERT INTO provisioning.person VALUES (3, 101, 'hidden')")
            try await bench.awaitState("publication-missing")
            try await bench.sql(
                "CREATE PUBLICATION regionsync FOR TABLE provisioning.person, provisioning.level")
            try await compared(bench, "shown-otherwise", "unreadable")
        }
    }

    @Test("a column with a default, and one with another type: old rows come anew")
    func columns() async throws {
        try await whileStreaming { bench in
            try await bench.sql(
                "INSERT INTO provisioning.level VALUES (1, 2, 3, 101)",
                "ALTER TABLE provisioning.level ADD COLUMN rank int DEFAULT 7")
            try await compared(bench, "shown-otherwise")
            try await bench.awaitState("streaming")
            // One that did not come to its end is begun, and counted, again.
            let before = comparisons(bench)
            try await bench.sql("ALTER TABLE provisioning.level ALTER COLUMN rank TYPE numeric(9, 2)")
            try await bench.eventually("another comparison") { comparisons(bench) > before }
        }
    }

    /// How many have begun since the tables looked otherwise.
    private func comparisons(_ bench: CaptureBench) -> Double {
        bench.metrics.snapshot().number(.captureResnapshots, [.cause: "shown-otherwise"]) ?? 0
    }

    @Test("changes without a replica identity cannot be read: once the table is right they are found by comparing")
    func identity() async throws {
        try await whileStreaming { bench in
            try await bench.sql(
                "ALTER TABLE provisioning.person REPLICA IDENTITY NOTHING",
                "INSERT INTO provisioning.person VALUES (3, 101, 'c')")
            try await bench.awaitState("replica-identity")
            try await bench.sql("ALTER TABLE provisioning.person REPLICA IDENTITY DEFAULT")
            try await compared(bench, "unreadable")
        }
    }

    @Test("a history that an operator begins counts at once")
    func history() async throws {
        try await whileStreaming { bench in
            try await bench.sql(
                """
                INSERT INTO regionsync.history (number, system_identifier, timeline, capture_region)
                SELECT number + 1, system_identifier, timeline, capture_region FROM regionsync.history
                """)
            try await compared(bench, "new-history")
            try await bench.eventually("positions of history 2") {
                try await bench.redis("HGET", Self.meta, "position").string.flatMap { Position($0) }?.history == 2
            }
        }
    }

    @Test("entries of somebody else in the journal are named and passed over; capture goes on behind them")
    func foreignEntries() async throws {
        try await whileStreaming { bench in
            let journal = JournalName.provisioning(origin: "us-east").key
            // At once, since one alone would be noticed as well.
            try await bench.redis(
                "EVAL", "for _ = 1, 2 do redis.call('XADD', KEYS[1], '*', 'foo', 'bar') end", "1", journal)
            try await bench.sql("INSERT INTO provisioning.person VALUES (3, 101, 'c')")
            try await bench.eventually("it says so") {
                bench.states.state(of: Capture.journalComponent)?.reason?.hasPrefix("2 entries") == true
            }
            try await bench.caughtUp()
            #expect(bench.states.state(of: Capture.journalComponent)?.name == "written-by-others")
        }
    }

    @Test("an entry of somebody else in the middle of a transaction takes a place of ours: everything is compared then")
    func foreignInTransaction() async throws {
        try await CaptureBench.with { bench in
            try await bench.captureAll()
            let journal = JournalName.provisioning(origin: "us-east").key
            // As if the worker had been killed in the middle of a transaction.
            let open = try await bench.position().number + 1
            try await bench.redis(
                "EVAL",
                """
                redis.call('XADD', KEYS[1], ARGV[1] .. '-1', 'op', 'put', 'tenant', '101', 'type', 'person', 'key', '9',
                    'data', '{}')
                redis.call('HSET', KEYS[2], 'last', ARGV[1] .. '-1')
                redis.call('XADD', KEYS[1], ARGV[1] .. '-2', 'foo', 'bar')
                """, "2", journal, Self.meta, "\(open)")
            try await bench.sql("INSERT INTO provisioning.person VALUES (3, 101, 'c')")
            try await bench.whileCapturing {
                try await compared(bench, "shown-otherwise")
                try await bench.awaitState("streaming")
                try await bench.caughtUp()
            }
            try await bench.expectInStep()
        }
    }
}
