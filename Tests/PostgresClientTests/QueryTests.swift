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
        await connection.close()
    }
}
