import PostgresClient
import Reconciliation
import Testing
import Worker

@Suite("PostgreSQL as repairs ask it", .serialized)
struct RepairSourceTests {
    @Test("the horizon stands above every transaction that was begun, also one that is not over")
    func horizon() async throws {
        try await CaptureBench.with { bench in
            let source = PostgresRepairSource(
                catalog: bench.catalog, publication: "regionsync", servers: [bench.postgresOptions])
            let connection = try await PostgresConnection.connect(bench.postgresOptions)
            try await connection.withTransaction(TransactionOptions()) { transaction in
                let rows = try await transaction.query("SELECT pg_current_xact_id()::text AS xid")
                let xid: UInt64 = try rows[0].integer("xid")
                #expect(try await source.horizon() > xid)
            }
            await connection.close()
            await source.close()
        }
    }
}
