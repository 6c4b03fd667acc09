import Capture
import PGOutput
import PostgresClient
import Testing
import Worker

@Suite("Capture's PostgreSQL", .serialized)
struct CaptureSourceTests {
    @Test("a slot that somebody streams from is in use")
    func slotInUse() async throws {
        try await CaptureBench.with { bench in
            let (_, first, _) = bench.capture()
            let (_, second, _) = bench.capture()
            try await bench.sql(
                "CREATE PUBLICATION regionsync FOR ALL TABLES",
                "SELECT pg_create_logical_replication_slot('regionsync', 'pgoutput')")
            let stream = try await first.stream(from: .zero)
            await withTaskGroup(of: Void.self) { tasks in
                // PostgreSQL takes the slot from who is silent for two seconds.
                tasks.addTask {
                    while !Task.isCancelled {
                        try? await stream.report(received: .zero, confirmed: .zero)
                        try? await Task.sleep(for: .milliseconds(100))
                    }
                }
                await #expect(throws: CaptureFailure.unavailable("slot regionsync is in use")) {
                    _ = try await second.stream(from: .zero)
                }
                tasks.cancelAll()
            }
            await stream.close()
            await first.close()
            await second.close()
        }
    }

    @Test("every reader has imported the snapshot before anything is read: its exporter may go")
    func snapshotOutlivesItsExporter() async throws {
        try await CaptureBench.with { bench in
            try await bench.sql(
                """
                INSERT INTO provisioning.person SELECT n, 101, repeat('n', 200), NULL, NULL
                FROM generate_series(1, 5000) n
                """, "CREATE PUBLICATION regionsync FOR TABLE provisioning.person, provisioning.level")
            let (_, source, _) = bench.capture()
            let (rows, feed) = AsyncStream<Int>.makeStream()
            try await source.snapshot(
                dropsSlot: false, all: true,
                sink: SnapshotSink(
                    began: { _, _ in
                        let exporters = "FROM pg_stat_activity WHERE application_name = 'regionsync capture'"
                        try await bench.sql("SELECT pg_terminate_backend(pid) \(exporters)")
                        try await bench.eventually("the exporter is gone") {
                            try await bench.sql("SELECT \(exporters)").isEmpty
                        }
                    }, copied: { feed.yield($0.rows.count) }, gone: { _ in }))
            feed.finish()
            #expect(await rows.reduce(0, +) == 5000)
            await source.close()
        }
    }
}
