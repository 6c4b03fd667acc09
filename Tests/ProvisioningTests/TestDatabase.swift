import PostgresClient
import Provisioning
import RegionConfig
import ServerFixtures

/// A PostgreSQL of the test's own with the schema migrated and the shipped catalog published.
struct TestDatabase {
    let catalog: Catalog
    let connection: PostgresConnection
    private let server: PostgresServer

    /// Runs `body` on a fresh database and stops the server behind it.
    static func with(_ body: (TestDatabase) async throws -> Void) async throws {
        let server = try await PostgresServer.start()
        do {
            let options = PostgresOptions(
                host: server.host, port: server.port, database: "postgres", user: "postgres")
            let database = TestDatabase(
                catalog: try shippedCatalog(), connection: try await .connect(options), server: server)
            try await database.migrate()
            try await body(database)
            await database.connection.close()
        } catch {
            await server.discard()
            throw error
        }
        await server.discard()
    }

    /// What `regionsync migrate` does.
    func migrate() async throws {
        try await connection.withTransaction { transaction in
            try await transaction.query(ProvisioningSchema.prepare)
            let installed: Int = try await transaction.query(ProvisioningSchema.installedVersion)[0].integer("version")
            for migration in try ProvisioningSchema.pending(after: installed) {
                try await transaction.query(migration.sql)
            }
            for statement in SchemaAccess(catalog, publication: "regionsync").statements {
                try await transaction.query(statement)
            }
            try await transaction.query(ProvisioningSchema.firstCapture(by: "us-east"))
        }
    }

    /// The first column of every row, NULL as an empty text.
    func texts(_ sql: String) async throws -> [String] {
        try await connection.query(sql).map { $0[0] ?? "" }
    }

    /// The SQLSTATE that `sql` is refused with; nil if it is not.
    func refusal(of sql: String) async -> String? {
        do throws(PostgresError) {
            try await connection.query(sql)
            return nil
        } catch {
            return error.sqlState
        }
    }

    func connection(as user: String) async throws -> PostgresConnection {
        try await .connect(PostgresOptions(host: server.host, port: server.port, database: "postgres", user: user))
    }

    private static func shippedCatalog() throws -> Catalog {
        let folder = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/regions"
        return try RegionFile.load(folder + "/us-east.yaml", environment: [:]).catalog
    }
}
