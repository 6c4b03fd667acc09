import PGOutput
import PostgresClient
import ServerFixtures
import Testing

@Suite("The server goes away", .serialized, SharedServer())
struct ServerEndTests {
    enum End: CaseIterable { case kill, immediate, fast }

    @Test("a stream and an idle connection end as .closed; the slot resumes after the restart", arguments: End.allCases)
    func serverEnds(_ end: End) async throws {
        let server = try #require(SharedServer.current)
        let table = "ends_\(end)"
        let slot = try await Slot(table: table, columns: "id int PRIMARY KEY")
        try await slot.start()
        try await slot.sql.query("INSERT INTO \(table) VALUES (1)")
        _ = try await slot.messages()

        let stream = slot.stream
        let waiting = Task {
            while true {
                let batch = try await stream.receive(timeout: .seconds(60))
                for range in batch.messages {
                    guard case .keepalive(let keepalive) = try ReplicationFrame(batch.bytes.span.bytes, at: range)
                    else { continue }
                    // Without this a clean stop waits for ever.
                    try await stream.sendStatus(written: keepalive.walEnd, flushed: .zero, applied: .zero)
                }
            }
        }
        try await Task.sleep(for: .milliseconds(50))
        switch end {
        case .kill: await server.kill()
        case .immediate: await server.stop(.immediate)
        case .fast: await server.stop(.fast)
        }
        let error = await #expect(throws: PostgresError.self) { try await waiting.value }
        switch error {
        case .closed, .server("57P01", _, _, _): break
        default: Issue.record("another error: \(String(describing: error))")
        }
        // The children of a server that is killed notice that each in its own time; until then this one answers.
        let deadline = ContinuousClock.now + .seconds(60)
        while (try? await slot.sql.query("SELECT 1")) != nil {
            try #require(ContinuousClock.now < deadline, "the session goes on")
            try await Task.sleep(for: .milliseconds(10))
        }
        let second = await #expect(throws: PostgresError.self) { try await slot.sql.query("SELECT 1") }
        guard case .closed = second else {
            Issue.record("another error: \(String(describing: second))")
            return
        }
        try await slot.close()

        try await server.start()
        let again = try await connect(isReplication: true)
        try await again.startReplication(slot: table, from: .zero, publications: [table])
        #expect(try await again.messages().map(\.text).contains("insert [1]"))
        await again.close()
    }

    @Test("a paused stream is cut off after wal_sender_timeout, as .closed")
    func senderTimeout() async throws {
        let slot = try await Slot(
            table: "silent", columns: "id int PRIMARY KEY", settings: ["wal_sender_timeout": "300"])
        try await slot.start()
        let stream = slot.stream
        let error = await #expect(throws: PostgresError.self) {
            while true { _ = try await stream.receive(timeout: .seconds(60)) }
        }
        guard case .closed = error else {
            Issue.record("another error: \(String(describing: error))")
            return
        }
        #expect(await !stream.isOpen)
        try await slot.close()
    }
}
