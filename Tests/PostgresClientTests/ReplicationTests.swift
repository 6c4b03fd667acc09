import PGOutput
import PostgresClient
import Testing

@Suite("Logical replication", SharedServer())
struct ReplicationTests {
    @Test("every kind of change arrives as what it is")
    func changes() async throws {
        let slot = try await Slot(table: "changes", columns: "id int PRIMARY KEY, name text, note text")
        try await slot.start(messages: true)
        let sql = slot.sql
        try await sql.query(
            """
            ALTER TABLE changes ALTER note SET STORAGE EXTERNAL;
            INSERT INTO changes VALUES (1, 'one', ''), (2, NULL, repeat('x', 3000));
            UPDATE changes SET name = 'two' WHERE id = 2;
            UPDATE changes SET id = 3 WHERE id = 1;
            DELETE FROM changes WHERE id = 3;
            ALTER TABLE changes ADD extra int;
            INSERT INTO changes VALUES (4, '', NULL, 5);
            ALTER TABLE changes REPLICA IDENTITY FULL;
            DELETE FROM changes WHERE id = 4;
            SELECT pg_logical_emit_message(true, 'prefix', 'content');
            TRUNCATE changes
            """)
        let long = String(repeating: "x", count: 3000)
        let texts = try await slot.messages().map(\.text)
        #expect(
            texts == [
                "begin",
                "relation public.changes(id*,name,note)",
                "insert [1,one,]",
                "insert [2,null,\(long)]",
                "update [2,two,unchanged]",
                "update key [1,absent,absent] -> [3,one,]",
                "delete key [3,absent,absent]",
                "relation public.changes(id*,name,note,extra)",
                "insert [4,,null,5]",
                "relation public.changes(id*,name*,note*,extra*)",
                "delete full [4,,null,5]",
                "message prefix content",
                "relation public.changes(id*,name*,note*,extra*)",
                "truncate 1",
                "commit",
            ])
        try await slot.close()
    }

    @Test("a stream resumed at the end LSN goes on; at the commit LSN the transaction comes again")
    func resumes() async throws {
        var slot = try await Slot(table: "resumes", columns: "id int PRIMARY KEY")
        try await slot.start()
        try await slot.sql.query("INSERT INTO resumes VALUES (1)")
        guard case .commit(let first) = try #require(try await slot.messages().last).message else {
            Issue.record("no commit")
            return
        }
        #expect(first.endLSN > first.commitLSN)
        try await slot.sql.query("INSERT INTO resumes VALUES (2)")
        _ = try await slot.messages()
        try await slot.reconnect(from: first.endLSN)
        #expect(try await slot.messages().map(\.text).contains("insert [2]"))
        try await slot.reconnect(from: first.commitLSN)
        #expect(try await slot.messages().map(\.text).contains("insert [1]"))
        try await slot.close()
    }

    @Test("a stream can be ended, with data still under way; the connection takes commands after that")
    func ends() async throws {
        let slot = try await Slot(table: "ends", columns: "id int PRIMARY KEY")
        try await slot.start()
        try await slot.sql.query("INSERT INTO ends SELECT generate_series(1, 20000)")
        _ = try await slot.stream.receive(maxBytes: 1000, timeout: .seconds(60))
        try await slot.stream.endReplication()
        #expect(try await slot.stream.identifySystem().timeline == 1)
        await #expect(throws: PostgresError.protocolViolation("no replication stream runs")) {
            try await slot.stream.receive(timeout: .seconds(1))
        }
        #expect(try await slot.stream.dropSlot("ends", confirmed: slot.created.consistentPoint))
        try await slot.close()
    }

    @Test("a status update goes out while a receive waits, and moves the slot")
    func statusBesideReceive() async throws {
        let slot = try await Slot(table: "beside", columns: "id int PRIMARY KEY")
        try await slot.start()
        try await slot.sql.query("INSERT INTO beside VALUES (1)")
        guard case .commit(let commit) = try #require(try await slot.messages().last).message else {
            Issue.record("no commit")
            return
        }
        let stream = slot.stream
        // The answer to the status update is what ends the wait.
        async let answer = stream.receive(timeout: .seconds(20))
        try await Task.sleep(for: .milliseconds(50))
        try await stream.sendStatus(
            written: commit.endLSN, flushed: commit.endLSN, applied: commit.endLSN, requestsReply: true)
        let batch = try await answer
        #expect(!batch.isEmpty)
        guard case .keepalive(let keepalive) = try ReplicationFrame(batch.bytes.span.bytes, at: batch.messages[0])
        else {
            Issue.record("no keepalive")
            return
        }
        #expect(keepalive.walEnd >= commit.endLSN)
        #expect(!keepalive.isReplyRequested)
        #expect(keepalive.sentAt > commit.committedAt)
        // The server answers before it moves the slot.
        var confirmed = LSN.zero
        for _ in 0..<3_000 where confirmed != commit.endLSN {
            try await Task.sleep(for: .milliseconds(10))
            let rows = try await slot.sql.query(
                "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1", ["beside"])
            confirmed = try rows[0].lsn("confirmed_flush_lsn")
        }
        #expect(confirmed == commit.endLSN)
        try await slot.close()
    }

    @Test("an idle stream answers with an empty batch at the time-out")
    func timesOut() async throws {
        let slot = try await Slot(table: "idle", columns: "id int PRIMARY KEY")
        try await slot.start()
        var batch = try await slot.stream.receive(timeout: .milliseconds(300))
        while !batch.isEmpty { batch = try await slot.stream.receive(timeout: .milliseconds(300)) }
        #expect(batch.bytes.isEmpty)
        try await slot.close()
    }

    @Test("a cancelled receive leaves the stream as it is")
    func cancelledReceive() async throws {
        let slot = try await Slot(table: "cancelled", columns: "id int PRIMARY KEY")
        try await slot.start()
        let stream = slot.stream
        let waiting = Task {
            while true { _ = try await stream.receive(timeout: .seconds(20)) }
        }
        try await Task.sleep(for: .milliseconds(100))
        waiting.cancel()
        await #expect(throws: PostgresError.cancelled) { try await waiting.value }
        try await slot.sql.query("INSERT INTO cancelled VALUES (1)")
        #expect(try await slot.messages().count == 4)
        try await slot.close()
    }

    @Test("a slot in use is 55006, one that is missing 42704")
    func slotErrors() async throws {
        let slot = try await Slot(table: "busy", columns: "id int PRIMARY KEY")
        try await slot.start()
        let other = try await connect(isReplication: true)
        var error = await #expect(throws: PostgresError.self) {
            try await other.startReplication(slot: "busy", from: .zero, publications: ["busy"])
        }
        #expect(error?.sqlState == "55006")
        error = await #expect(throws: PostgresError.self) {
            try await other.startReplication(slot: "none", from: .zero, publications: ["busy"])
        }
        #expect(error?.sqlState == "42704")
        let confirmed = slot.created.consistentPoint
        error = await #expect(throws: PostgresError.self) { _ = try await other.dropSlot("busy", confirmed: confirmed) }
        #expect(error?.sqlState == "55006")
        #expect(try await !other.dropSlot("busy", confirmed: LSN(confirmed.rawValue + 1)))
        #expect(try await !other.dropSlot("none", confirmed: confirmed))
        // The connection is none the worse.
        #expect(try await other.identifySystem().database == "postgres")
        await other.close()
        try await slot.close()
    }

    @Test("a publication made after the slot is 42704, at the first change")
    func publicationMissing() async throws {
        let sql = try await connect()
        let stream = try await connect(isReplication: true)
        _ = try await stream.createSlot("early", exportsSnapshot: false, timeout: .seconds(60))
        try await sql.query("CREATE TABLE early (id int PRIMARY KEY); CREATE PUBLICATION \"late pub\" FOR TABLE early")
        try await sql.query("INSERT INTO early VALUES (1)")
        let error = await #expect(throws: PostgresError.self) {
            try await stream.startReplication(slot: "early", from: .zero, publications: ["missing"])
            _ = try await stream.messages()
        }
        #expect(error?.sqlState == "42704")
        await stream.close()
        await sql.close()
    }

    @Test("a transaction larger than a batch arrives in bounded pieces")
    func boundedBatches() async throws {
        let slot = try await Slot(table: "large", columns: "id int PRIMARY KEY, name text")
        try await slot.start()
        try await slot.sql.query("INSERT INTO large SELECT i, repeat('x', 500) FROM generate_series(1, 5000) i")
        var rows = 0
        var largest = 0
        while rows < 5000 {
            let batch = try await slot.stream.receive(maxBytes: 64 << 10, timeout: .seconds(60))
            largest = max(largest, batch.bytes.count)
            rows += batch.messages.count { $0.count > 500 }
            try #require(!batch.isEmpty)
        }
        #expect(rows == 5000)
        #expect(largest < 66 << 10)
        try await slot.close()
    }

    @Test("names that need quotes work")
    func quoting() async throws {
        let sql = try await connect()
        let stream = try await connect(isReplication: true)
        try await sql.query(
            """
            CREATE TABLE "Odd ""t'" (id int PRIMARY KEY); CREATE PUBLICATION "Odd "",'p" FOR TABLE "Odd ""t'"
            """)
        _ = try await stream.createSlot("odd", exportsSnapshot: false, timeout: .seconds(60))
        try await stream.startReplication(slot: "odd", from: .zero, publications: ["Odd \",'p"])
        try await sql.query("INSERT INTO \"Odd \"\"t'\" VALUES (1)")
        #expect(try await stream.messages().map(\.text).contains("insert [1]"))
        await stream.close()
        await sql.close()
    }
}
