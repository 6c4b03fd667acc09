import Foundation
import Glibc
import PostgresClient
import ServerFixtures
import Testing

@Suite("Time-outs, cancellation, closing", SharedServer())
struct CancellationTests {
    @Test("a command that takes too long is cancelled, and the connection goes on")
    func timeout() async throws {
        let connection = try await connect()
        await #expect(throws: PostgresError.timeout) {
            try await connection.query("SELECT pg_sleep(30)", timeout: .milliseconds(100))
        }
        #expect(try await connection.query("SELECT 1").count == 1)
        await connection.close()
    }

    @Test("a cancelled task cancels its command, and the connection goes on")
    func cancelledTask() async throws {
        let connection = try await connect()
        let task = Task { try await connection.query("SELECT pg_sleep(30)") }
        try await awaitSleeper()
        task.cancel()
        await #expect(throws: PostgresError.cancelled) { try await task.value }
        #expect(try await connection.query("SELECT 1").count == 1)
        await connection.close()
    }

    @Test("a transaction whose task is cancelled is rolled back")
    func cancelledTransaction() async throws {
        let connection = try await connect()
        try await connection.query("CREATE TABLE undone (id int)")
        let task = Task {
            try await connection.withTransaction {
                try await $0.query("INSERT INTO undone VALUES (1)")
                try await $0.query("SELECT pg_sleep(30)")
            }
        }
        try await awaitSleeper()
        task.cancel()
        await #expect(throws: PostgresError.cancelled) { try await task.value }
        #expect(try await connection.query("TABLE undone").isEmpty)
        #expect(await connection.isOpen)
        await connection.close()
    }

    @Test("cancel() makes the running command fail with 57014")
    func cancel() async throws {
        let connection = try await connect()
        async let answer = connection.query("SELECT pg_sleep(30)")
        try await awaitSleeper()
        await connection.cancel()
        do {
            _ = try await answer
            Issue.record("the command was not cancelled")
        } catch {
            #expect((error as? PostgresError)?.sqlState == "57014")
        }
        await connection.close()
    }

    @Test("a server that takes no cancel request is given up, and nothing waits for it", .timeLimit(.minutes(1)))
    func undeliverableCancel() async throws {
        let connection = try await connect()
        let server = try #require(SharedServer.current)
        let postmaster = try #require(await server.processID)
        // The kernel still takes connections for it; nobody answers.
        _ = Glibc.kill(postmaster, SIGSTOP)
        defer { _ = Glibc.kill(postmaster, SIGCONT) }
        await #expect(throws: PostgresError.timeout) {
            try await connection.query("SELECT pg_sleep(60)", timeout: .milliseconds(100))
        }
        #expect(await !connection.isOpen)
    }

    @Test("closing ends what waits, and everything after it")
    func close() async throws {
        let connection = try await connect()
        async let answer = connection.query("SELECT pg_sleep(30)")
        try await awaitSleeper()
        await connection.close()
        let closed = PostgresError.closed("closed by this side")
        do {
            _ = try await answer
            Issue.record("the command went on")
        } catch {
            #expect(error as? PostgresError == closed)
        }
        await #expect(throws: closed) { try await connection.query("SELECT 1") }
        await connection.close()
        #expect(await !connection.isOpen)
    }

    @Test("threads and sockets end with their connections", arguments: [true, false])
    func threadsEnd(closes: Bool) async throws {
        // The kernel shows a thread under the name its connection gives it.
        let name = "ends \(closes)"
        func threads() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count { thread in
                (try? String(contentsOfFile: "/proc/self/task/\(thread)/comm", encoding: .utf8)) == name + "\n"
            }
        }
        for round in 0..<5 {
            let connection = try await connect { $0.applicationName = name }
            try await connection.query("SELECT 1")
            if round == 0 { #expect(try threads() == 1) }
            if closes { await connection.close() }
        }
        for _ in 0..<3_000 where try threads() > 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try threads() == 0)
        let sql = try await connect()
        var sessions = -1
        for _ in 0..<3_000 where sessions != 0 {
            try await Task.sleep(for: .milliseconds(10))
            sessions = try await sql.query(
                "SELECT FROM pg_stat_activity WHERE application_name = $1", [name]
            ).count
        }
        #expect(sessions == 0)
        await sql.close()
    }

    /// Waits until the server sleeps for somebody: a cancel request that comes before the command runs has no effect.
    private func awaitSleeper() async throws {
        let sql = try await connect()
        let deadline = ContinuousClock.now + .seconds(25)
        while try await sql.query(
            "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query = 'SELECT pg_sleep(30)'"
        ).isEmpty {
            try #require(ContinuousClock.now < deadline, "nobody sleeps")
        }
        await sql.close()
    }
}
