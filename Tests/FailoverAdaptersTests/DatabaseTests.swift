import Connections
import Failover
import PostgresClient
import ServerFixtures
import Testing

@testable import FailoverAdapters

@Suite("The servers of PostgreSQL that a failover sees", .serialized)
struct DatabaseTests {
    private static let table = """
        CREATE SCHEMA regionsync;
        CREATE TABLE regionsync.history (
            number integer PRIMARY KEY, system_identifier bigint NOT NULL, timeline integer NOT NULL,
            capture_region text NOT NULL, since timestamptz NOT NULL DEFAULT now());
        INSERT INTO regionsync.history VALUES (1, 71, 1, 'us-east')
        """

    private func options(_ server: PostgresServer) -> PostgresOptions {
        PostgresOptions(host: server.host, port: server.port, database: "postgres", user: "postgres")
    }

    private func sql(_ text: String, _ server: PostgresServer) async throws {
        let connection = try await PostgresConnection.connect(options(server))
        _ = try await connection.query(text)
        await connection.close()
    }

    private func with(_ body: (PostgresServer) async throws -> Void) async throws {
        let server = try await PostgresServer.start()
        do { try await body(server) } catch {
            await server.discard()
            throw error
        }
        await server.discard()
    }

    @Test("a row is added behind the one that was newest, and by one of two operators only")
    func addsOnce() async throws {
        try await with { server in
            try await sql(Self.table, server)
            let database = PostgresFailoverDatabase(options(server))
            let found = try await database.look()
            #expect(!found.isInRecovery && found.timeline == 1)
            #expect(found.history.map(\.number) == [1])
            // They may even want different numbers, since one of them knows of histories that the other does not.
            let rows = (2...9).map { number in
                FoundDatabase.History(
                    number: UInt64(number), systemID: found.systemID, timeline: 1, captureRegion: "eu-west")
            }
            let added = try await withThrowingTaskGroup(of: Bool.self) { group in
                for row in rows { group.addTask { try await database.add(row, after: 1) } }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(added == 1)
            #expect(try await database.look().history.count == 2)
            #expect(try await !database.add(rows[0], after: 1))
        }
    }

    @Test("of servers that take writes the newest history counts; one that is away is passed over")
    func search() async throws {
        try await with { old in
            try await with { new in
                try await sql(Self.table, old)
                try await sql(Self.table + "; INSERT INTO regionsync.history VALUES (2, 72, 2, 'eu-west')", new)
                for servers in [[old, new], [new, old]] {
                    let found = try await PrimarySearch.connect(servers.map { options($0) })
                    #expect(servers[found.place].port == new.port)
                    #expect(try await PrimarySearch.rank(found.connection) == .init(takesWrites: true, history: 2))
                    await found.connection.close()
                }
                await new.kill()
                let found = try await PrimarySearch.connect([options(new), options(old)])
                #expect(found.place == 1)
                await found.connection.close()
                await old.kill()
                await #expect(throws: PostgresError.self) {
                    try await PrimarySearch.connect([options(new), options(old)])
                }
            }
        }
    }

    @Test("a server that takes writes is better than one that replays, whatever their histories")
    func ranks() {
        typealias Rank = PrimarySearch.Rank
        #expect(Rank(takesWrites: false, history: 9) < Rank(takesWrites: true, history: 0))
        #expect(Rank(takesWrites: true, history: 1) < Rank(takesWrites: true, history: 2))
        #expect(Rank(takesWrites: false, history: 1) < Rank(takesWrites: false, history: 2))
    }

    @Test("a server that is away may be there soon; one that refuses will not")
    func failures() async {
        var nowhere = PostgresOptions(host: "127.0.0.1", port: 1, database: "postgres", user: "postgres")
        nowhere.connectTimeout = .seconds(2)
        do throws(FailoverFailure) {
            _ = try await PostgresFailoverDatabase(nowhere).look()
            Issue.record("it answered")
        } catch {
            if case .failed(let reason) = error { Issue.record("given up: \(reason)") }
        }
        for (error, isFinal) in [
            (PostgresError.authentication("no"), true), (.closed("gone"), false), (.timeout, false),
            (.server(sqlState: "57P03", message: "starts up", detail: nil, hint: nil), false),
            (.server(sqlState: "42501", message: "may not", detail: nil, hint: nil), true),
        ] {
            switch FailoverFailure(error) {
            case .failed: #expect(isFinal, "\(error)")
            case .unavailable: #expect(!isFinal, "\(error)")
            }
        }
    }
}
