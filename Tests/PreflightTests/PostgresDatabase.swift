import PostgresClient
import Preflight
import ServerFixtures
import Testing

/// A PostgreSQL of the test's own, and the region file that names it.
struct PostgresDatabase {
    let server: PostgresServer
    let superuser: PostgresConnection
    var region = CheckedRegion()

    static func with(
        settings: [String: String] = [:], accessRules: [String] = [], _ body: (PostgresDatabase) async throws -> Void
    ) async throws {
        let server = try await PostgresServer.start(settings: settings, accessRules: accessRules)
        do {
            let superuser = try await PostgresConnection.connect(
                PostgresOptions(host: server.host, port: server.port, database: "postgres", user: "postgres"))
            var database = PostgresDatabase(server: server, superuser: superuser)
            database.region.postgres.append("port: \(server.port)")
            // Nobody listens there: these tests are about PostgreSQL.
            database.region.redis.append("port: \(try freePort())")
            try await body(database)
            await superuser.close()
        } catch {
            await server.discard()
            throw error
        }
        await server.discard()
    }

    /// With the tables of `CheckedRegion.ownTables`, migrated.
    static func withOwnTables(_ body: (PostgresDatabase) async throws -> Void) async throws {
        try await with { database in
            try await database.superuser.query(CheckedRegion.ownTablesSQL)
            try await database.migrate()
            try await body(database)
        }
    }

    @discardableResult
    func migrate(isDryRun: Bool = false, capturingRegion: String? = nil) async throws -> [String] {
        try await SchemaMigration(
            region.read(), as: SchemaMigration.Login(user: "postgres", password: nil), capturingRegion: capturingRegion
        ).run(isDryRun: isDryRun)
    }

    /// What is found of PostgreSQL that is not ok.
    func faults() async throws -> [Finding] {
        try await region.check().findings(at: "postgres").filter { $0.severity != .ok }
    }

    func expectNoFault(at location: SourceLocation = #_sourceLocation) async throws {
        let faults = try await faults()
        #expect(faults.isEmpty, "\(faults)", sourceLocation: location)
    }

    /// The first column of every row, NULL as an empty text.
    func texts(_ sql: String) async throws -> [String] {
        try await superuser.query(sql).map { $0[0] ?? "" }
    }
}
