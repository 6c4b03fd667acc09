import Journal
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

@Suite("What a worker still sends when another has gone on in its place, on a real Redis", .serialized)
struct LateWriteTests {
    private let journal = JournalName.voice(tenant: "7", origin: "east")

    /// A journal of entries 1 to 10, born with the mark `b`.
    private func withJournal(_ body: (RedisConnection) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let connection = try await RedisConnection.connect(
                to: server.patientEndpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
            var commands = (1...10).map { RedisCommand("XADD", journal.key, "\($0)-0", "f", "v") }
            commands += [
                RedisCommand("HSET", journal.metaKey, "birth", "b", "floor", "0-0"),
                JournalFunctions.library.loadCommand,
            ]
            for result in await connection.pipeline(commands) { _ = try result.get() }
            try await body(connection)
            await connection.close()
        }
    }

    private func expectRefusal(
        _ code: String, of command: RedisCommand, by connection: RedisConnection
    ) async throws {
        do throws(RedisError) {
            let reply = try await connection.send(command)
            Issue.record("not refused: \(reply)")
        } catch .server(let found, _) {
            #expect(found == code)
        }
    }

    @Test("an excess is not removed twice; nothing is removed of another history")
    func trimming() async throws {
        try await withJournal { connection async throws in
            let excess = JournalFunctions.behead(journal, by: 3, birth: "b", floor: "0-0")
            #expect(try await connection.send(excess).string == "3-0")
            try await expectRefusal("CURSOR", of: excess, by: connection)
            let five = EntryID(first: 5, second: 0)
            for removed: Int64 in [1, 0] {
                let trim = JournalFunctions.trim(journal, minimum: five, birth: "b")
                #expect(try await connection.send(trim).integer == removed)
            }
            for command in [
                JournalFunctions.behead(journal, by: 3, birth: "a", floor: "4-0"),
                JournalFunctions.trim(journal, minimum: EntryID(first: 9, second: 0), birth: "a"),
                JournalFunctions.trim(journal, minimum: EntryID(first: 9, second: 0), birth: ""),
            ] { try await expectRefusal("FENCED", of: command, by: connection) }
            #expect(try await connection.send(RedisCommand("XLEN", journal.key)).integer == 6)
        }
    }

    @Test("what a peer missed is left as another has noted it")
    func notes() async throws {
        try await withJournal { connection async throws in
            let notes: [(missed: UInt64, known: UInt64, birth: String, taken: Int64)] = [
                (5, 0, "b", 1), (3, 0, "b", 0), (9, 5, "a", 0), (6, 5, "b", 1), (7, 5, "b", 0),
            ]
            for note in notes {
                let command = JournalFunctions.note(
                    missed: note.missed, known: note.known, by: "west", of: journal, birth: note.birth)
                #expect(try await connection.send(command).integer == note.taken, "\(note)")
            }
            let field = RedisCommand("HGET", journal.metaKey, "missed:west")
            #expect(try await connection.send(field).string == "6")
        }
    }
}
