import PGOutput
import PostgresClient
import Testing

@Suite("SQL over libpq", SharedServer())
struct QueryTests {
    @Test("values come as text; NULL and empty are two things")
    func values() async throws {
        let connection = try await connect()
        let rows = try await connection.query(
            "SELECT $1::text AS a, $2::text AS b, '' AS c, 7 AS n, true AS t, '16/B374D848'::pg_lsn AS l", ["ä", nil])
        let row = try #require(rows.first)
        #expect(try row.string("a") == "ä")
        #expect(try row.optionalString("b") == nil)
        #expect(try row.string("c") == "")
        let number: Int = try row.integer("n")
        #expect(number == 7)
        #expect(try row.boolean("t"))
        #expect(try row.lsn("l").description == "16/B374D848")
        #expect(throws: PostgresError.protocolViolation("column b is NULL")) { try row.string("b") }
        #expect(throws: PostgresError.protocolViolation("the result has no column z")) { try row.string("z") }
        #expect(throws: PostgresError.protocolViolation("column c is no LSN")) { try row.lsn("c") }
        await connection.close()
    }

    @Test("text forms do not depend on the database's settings")
    func textForms() async throws {
        let connection = try await connect { $0.settings = ["test.note": "a b\\c"] }
        let row = try await connection.query(
            """
            SELECT '2024-02-03 04:05:06+07'::timestamptz, '\\xDEAD'::bytea, 0.1::float8, '1 day 2 hours'::interval,
                current_setting('test.note')
            """)[0]
        let texts = (0..<5).map { row[$0] }
        #expect(texts == ["2024-02-02 21:05:06+00", "\\xdead", "0.1", "1 day 02:00:00", "a b\\c"])
        await connection.close()
    }

    @Test("a server's error carries its SQLSTATE, and its description not the row")
    func serverErrors() async throws {
        let connection = try await connect()
        try await connection.query("CREATE TABLE keyed (name text PRIMARY KEY)")
        try await connection.query("INSERT INTO keyed VALUES ('canary')")
        let error = await #expect(throws: PostgresError.self) {
            try await connection.query("INSERT INTO keyed VALUES ($1)", ["canary"])
        }
        guard case .server(let sqlState, _, let detail, _) = error else {
            Issue.record("not an error of the server")
            return
        }
        #expect(sqlState == "23505")
        #expect(detail?.contains("canary") == true)
        #expect(error?.description.contains("canary") == false)
        let place = await connection.refusedAt
        #expect(place.schema == "public" && place.table == "keyed" && place.column == nil)
        #expect(place.constraint == "keyed_pkey")
        await #expect(throws: PostgresError.self) { try await connection.query("INSERT INTO keyed VALUES (NULL)") }
        #expect(await connection.refusedAt.column == "name")
        #expect(try await connection.query("SELECT 1").count == 1)
        await connection.close()
    }

    @Test("several statements without parameters are one transaction; the first failure is what is thrown")
    func scripts() async throws {
        let connection = try await connect()
        let rows = try await connection.query("CREATE TABLE script (id int); INSERT INTO script VALUES (1), (2)")
        #expect(rows.affectedRows == 2)
        let error = await #expect(throws: PostgresError.self) {
            try await connection.query("INSERT INTO script VALUES (3); SELECT 1/0; INSERT INTO script VALUES (4)")
        }
        #expect(error?.sqlState == "22012")
        #expect(try await connection.query("TABLE script").count == 2)
        #expect(try await connection.query("").count == 0)
        await connection.close()
    }

    @Test("NUL in a statement or parameter is refused, not cut off")
    func nul() async throws {
        let connection = try await connect()
        for (sql, parameters) in [("SELECT 1\0", []), ("SELECT $1", ["a\0b"])] as [(String, [String?])] {
            let error = await #expect(throws: PostgresError.self) { try await connection.query(sql, parameters) }
            #expect(error?.sqlState == "22021")
        }
        await connection.close()
    }

    @Test("commands of several tasks run one at a time, and each gets its own answer")
    func turns() async throws {
        let connection = try await connect()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<50 {
                group.addTask { try await connection.query("SELECT $1::int", ["\(number)"])[0][0] == "\(number)" }
            }
            for try await isRight in group { #expect(isRight) }
        }
        await connection.close()
    }

    @Test("a transaction is committed, or rolled back when its body throws")
    func transactions() async throws {
        struct Stop: Error {}
        let connection = try await connect()
        try await connection.query("CREATE TABLE moves (id int)")
        try await connection.withTransaction { try await $0.query("INSERT INTO moves VALUES ($1)", ["1"]) }
        await #expect(throws: Stop.self) {
            try await connection.withTransaction {
                try await $0.query("INSERT INTO moves VALUES (2)")
                throw Stop()
            }
        }
        #expect(try await connection.query("TABLE moves").map { $0[0] } == ["1"])
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction(TransactionOptions(isReadOnly: true)) {
                try await $0.query("INSERT INTO moves VALUES (3)")
            }
        }
        #expect(error?.sqlState == "25006")
        await connection.close()
    }

    @Test("a COMMIT that the server turned into a rollback is an error")
    func failedCommit() async throws {
        let connection = try await connect()
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { transaction in
                _ = try? await transaction.query("SELECT 1/0")
            }
        }
        #expect(error?.sqlState == "25P02")
        await connection.close()
    }
}
