import PGOutput
import PostgresClient
import Testing

@Suite("Snapshot: exported, imported, copied out", SharedServer())
struct SnapshotTests {
    @Test("readers of the exported snapshot see what was committed before the consistent point, and no more")
    func exportedSnapshot() async throws {
        let sql = try await connect()
        try await sql.query("CREATE TABLE parked (id int PRIMARY KEY); INSERT INTO parked VALUES (1)")
        let exporter = try await connect(isReplication: true)
        let slot = try await exporter.createSlot("parked", timeout: .seconds(60))
        let snapshot = try #require(slot.snapshot)
        try await sql.query("INSERT INTO parked VALUES (2)")

        let reader = try await connect()
        try await reader.withTransaction(.reading(snapshot: snapshot)) { transaction in
            let first = try await transaction.query("SELECT id FROM parked")
            #expect(first.map { $0[0] } == ["1"])
            // The reader keeps the snapshot once it has it; the exporter may go on.
            let system = try await exporter.identifySystem()
            #expect(system.flushLSN >= slot.consistentPoint)
            let second = try await transaction.query("SELECT id FROM parked")
            #expect(second.count == 1)
        }
        let error = await #expect(throws: PostgresError.self) {
            try await reader.withTransaction(.reading(snapshot: snapshot)) { _ in }
        }
        #expect(error?.sqlState == "42704" || error?.sqlState == "22023")
        #expect(try await reader.query("SELECT 1").count == 1)
        for connection in [reader, exporter, sql] { await connection.close() }
    }

    @Test("making a slot waits for running transactions, and gives up in time")
    func slotWaits() async throws {
        let blocker = try await connect()
        let exporter = try await connect(isReplication: true)
        try await blocker.withTransaction { transaction in
            try await transaction.query("SELECT pg_current_xact_id()")
            await #expect(throws: PostgresError.timeout) {
                try await exporter.createSlot("waits", timeout: .milliseconds(300))
            }
        }
        // The connection goes on, and the slot was not left behind.
        _ = try await exporter.createSlot("waits", timeout: .seconds(60))
        await exporter.close()
        await blocker.close()
    }

    @Test("copied rows are the table's, NULL, empty and escapes told apart")
    func copyText() async throws {
        let sql = try await connect()
        let odd = "tab\tnew\nline\\ back \\N \r\u{8}\u{b}\u{c} ä"
        try await sql.query("CREATE TABLE copied (a text, b text)")
        try await sql.query(
            "INSERT INTO copied VALUES ($1, NULL), ('', 'x'), (NULL, NULL), (E'\\\\N', '')", [odd])
        var decoder = CopyTextDecoder()
        let rows = try await sql.withCopyOut("COPY copied TO STDOUT") { copy in
            var rows: [[String?]] = []
            while var batch = try await copy.next() {
                for range in batch.messages {
                    try decoder.decode(&batch.bytes, at: range)
                    rows.append(
                        decoder.columns.map { column in
                            guard case .text(let range) = column else { return nil }
                            return String(decoding: batch.bytes[range], as: UTF8.self)
                        })
                }
            }
            return rows
        }
        #expect(rows == [[odd, nil], ["", "x"], [nil, nil], ["\\N", ""]])
        await sql.close()
    }

    @Test("a copy comes in bounded batches; the server waits while the reader does")
    func backpressure() async throws {
        let sql = try await connect()
        let watcher = try await connect()
        let count = try await sql.withCopyOut(
            "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 30000)) TO STDOUT"
        ) { copy in
            var count = 0
            while let batch = try await copy.next(maxBytes: 100_000) {
                #expect(batch.bytes.count <= 102_000)
                if count == 0 {
                    let deadline = ContinuousClock.now + .seconds(60)
                    while try await watcher.query(
                        "SELECT FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND query LIKE 'COPY%'"
                    ).count != 1 {
                        try #require(ContinuousClock.now < deadline, "the server does not wait")
                        try await Task.sleep(for: .milliseconds(10))
                    }
                }
                count += batch.messages.count
            }
            return count
        }
        #expect(count == 30000)
        await watcher.close()
        await sql.close()
    }

    @Test("a copy that is left early is cancelled, and the connection goes on")
    func abandonedCopy() async throws {
        let sql = try await connect()
        try await sql.withCopyOut("COPY (SELECT generate_series(1, 100000000)) TO STDOUT") { copy in
            _ = try await copy.next()
        }
        #expect(try await sql.query("SELECT 1").count == 1)
        await sql.close()
    }

    @Test("a copy that fails in the middle says so")
    func failingCopy() async throws {
        let sql = try await connect()
        let error = await #expect(throws: PostgresError.self) {
            try await sql.withCopyOut("COPY (SELECT 1 / (1000 - i) FROM generate_series(1, 2000) i) TO STDOUT") {
                while try await $0.next() != nil {}
            }
        }
        #expect(error?.sqlState == "22012")
        await #expect(throws: PostgresError.self) { try await sql.withCopyOut("SELECT 1") { _ in } }
        await #expect(throws: PostgresError.self) { try await sql.query("COPY pg_class TO STDOUT") }
        #expect(try await sql.query("SELECT 1").count == 1)
        await sql.close()
    }
}
