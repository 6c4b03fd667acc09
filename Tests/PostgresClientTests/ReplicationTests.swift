import PGOutput
import PostgresClient
import Testing

@Suite("Logical replication", SharedServer())
struct ReplicationTests {
    @Test("a transaction arrives whole, and ends with its end LSN")
    func streams() async throws {
        let slot = try await Slot(table: "streams", columns: "id int PRIMARY KEY, name text")
        try await slot.sql.query("INSERT INTO streams VALUES (1, 'one'), (2, NULL)")
        try await slot.stream.startReplication(slot: "streams", from: .zero, publications: ["streams"])
        let messages = try await slot.messages(untilCommits: 1)
        #expect(
            messages.map(\.text) == [
                "begin", "relation public.streams(id*,name)", "insert [1,one]", "insert [2,null]", "commit",
            ])
        try await slot.close()
    }
}
