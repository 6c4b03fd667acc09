import NIOPosix
import PortFixtures
import RESP
import RESPServer
import RedisClient
import Testing

@testable import ConfigListener

@Suite("Writes over a port")
struct WriteListenerTests {
    @Test("one by one, as a transaction, and with the permissions of the account")
    func port() async throws {
        try await WritingDatabase.with { database in
            let tenant = try await database.tenant("port")
            try await serve(database.writes) { connection in
                let put = try await connection.send(RedisCommand("CFG.PUT", tenant, "skill", "NEW", "name", "a b"))
                let fields = put.elements.map { $0.string ?? "" }
                try #require(fields.count == 4)
                #expect(fields[0] == "id" && fields[2] == "token", "\(fields)")
                await #expect(throws: RedisError.self) {
                    try await connection.send(RedisCommand("CFG.PUT", tenant, "skill"))
                }
                let swap = [
                    ["CFG.PUT", tenant, "skill", "NEW", "name", "c"], ["CFG.DEL", tenant, "skill", fields[1]],
                ]
                try await expect(connection, swap, answers: 2)
                try await expect(connection, [["T.READ"], ["T.READ"], ["T.READ"]], answers: 3)
                let names = "SELECT name FROM provisioning.skill WHERE tenant_dbid = \(tenant)"
                #expect(try await database.texts(names) == ["c"])
                for command in [["T.READ"], ["CFG.PUT", tenant, "skill", "NEW", "name", "c"]] {
                    _ = try await connection.send(RedisCommand("MULTI"))
                    _ = try await connection.send(
                        RedisCommand(["CFG.PUT", tenant, "skill", "NEW", "name", "d"]))
                    _ = try await connection.send(RedisCommand(command))
                    await #expect(throws: RedisError.self) { try await connection.send(RedisCommand("EXEC")) }
                    #expect(try await database.texts(names) == ["c"])
                }
                let docs = try await connection.send(RedisCommand("COMMAND", "DOCS", "CFG.PUT", "CFG.DEL"))
                #expect(docs.count == 4)
            }
        }
    }

    private func expect(_ connection: RedisConnection, _ commands: [[String]], answers: Int) async throws {
        _ = try await connection.send(RedisCommand("MULTI"))
        for command in commands {
            #expect(try await connection.send(RedisCommand(command)).string == "QUEUED")
        }
        #expect(try await connection.send(RedisCommand("EXEC")).count == answers)
    }

    /// A port with the writes and one command that reads.
    private func serve(
        _ writes: ConfigWrites, _ body: @escaping @Sendable (RedisConnection) async throws -> Void
    ) async throws {
        let read = Command(
            "T.READ", arity: 1, permission: .read, documentation: .init("Reads.", group: "test"),
            handler: .immediate { _ in .ok })
        let table = CommandTable(writes.commands + [read], transaction: { await writes.transaction($0) })
        let accounts = AccountStore(Accounts([], anonymous: .everywhere))
        try await ServedPort.with(table, accounts: accounts) { served in
            let connection = try await RedisConnection.connect(
                to: .patient(served.port), name: "tests", on: MultiThreadedEventLoopGroup.singleton.next())
            try await body(connection)
            await connection.close()
        }
    }
}
