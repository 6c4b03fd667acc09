import Foundation
import PostgresClient
import Preflight
import Provisioning
import RegionConfig
import ServerFixtures
import Testing

@Suite("Migrating, on a real PostgreSQL")
struct SchemaMigrationTests {
    private static var shippedCatalog: [String] {
        get throws {
            let folder = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/regions"
            let text = try String(contentsOfFile: folder + "/catalog.yaml", encoding: .utf8)
            return text.split(separator: "\n").drop { $0 != "catalog:" }.dropFirst().map(String.init)
        }
    }

    @Test("The shipped catalog: everything is made once, then there is nothing to do and nothing to find")
    func shipped() async throws {
        try await PostgresDatabase.with { database in
            var database = database
            database.region.catalog = try Self.shippedCatalog
            let dry = try await database.migrate(isDryRun: true)
            #expect(try await database.texts("SELECT 1 FROM pg_namespace WHERE nspname = 'regionsync'").isEmpty)
            #expect(try await database.texts("SELECT 1 FROM pg_roles WHERE rolname LIKE 'regionsync%'").isEmpty)
            let steps = try await database.migrate()
            #expect(steps == dry)
            #expect(
                steps == [
                    "schema 1: history of captures", "schema 2: provisioning objects", "schema 3: outbound objects",
                    "schema 4: tenants from 1", "schema 5: writes by clients", "schema 6: uniqueness within tenants",
                    "history: us-east captures", "roles regionsync_capture, regionsync_read, regionsync_write",
                    "grants", "publication regionsync",
                ])
            #expect(try await database.migrate() == [])
            try await database.expectNoFault()
        }
    }

    @Test("Only what differs is done: a table more in the catalog, a grant that was taken away")
    func changes() async throws {
        try await PostgresDatabase.withOwnTables { database in
            #expect(try await database.migrate() == [])
            var wider = database
            try await database.superuser.query("CREATE TABLE more (id int, tenant int, PRIMARY KEY (tenant, id))")
            wider.region.catalog.append("  - {table: public.more, key: [id], tenant: tenant}")
            #expect(try await wider.migrate() == ["grants", "publication regionsync"])
            try await wider.expectNoFault()
            try await database.superuser.query("REVOKE SELECT ON more FROM regionsync_read")
            #expect(try await wider.migrate() == ["grants"])
            try await database.superuser.query("ALTER ROLE regionsync_capture NOREPLICATION")
            #expect(try await wider.migrate() == ["roles regionsync_capture, regionsync_read, regionsync_write"])
            #expect(try await wider.migrate() == [])
        }
    }

    @Test("What is asked for and not there is refused: another region than captures, columns that a table lacks")
    func contradicted() async throws {
        try await PostgresDatabase.withOwnTables { database in
            #expect(try await database.migrate(capturingRegion: "us-east") == [])
            await #expect(throws: SchemaMigration.Refused.otherCaptures("us-east", asked: "eu-west")) {
                try await database.migrate(capturingRegion: "eu-west")
            }
            try await database.superuser.query(
                "INSERT INTO regionsync.history SELECT 2, system_identifier, 1, 'eu-west' FROM regionsync.history")
            await #expect(throws: SchemaMigration.Refused.otherCaptures("eu-west", asked: "us-east")) {
                try await database.migrate(capturingRegion: "us-east")
            }
            // Who captures does not matter to a migration that does not ask.
            #expect(try await database.migrate() == [])
            var other = database
            other.region.catalog[1] = "  - {table: public.plain, key: [id], tenant: tenant, indexes: [{field: colour}]}"
            let table = TableName(schema: "public", name: "plain")
            await #expect(
                throws: SchemaMigration.Refused.columnsMissing(table, ["colour"], present: ["id", "tenant"])
            ) {
                try await other.migrate()
            }
        }
    }

    @Test("What cannot be done whole is not done at all")
    func refused() async throws {
        try await PostgresDatabase.with { database in
            // The catalog's tables are missing, which shows only with the grants, near the end.
            let missing = await #expect(throws: PostgresError.self) { try await database.migrate() }
            #expect(missing?.sqlState == "42P01")
            #expect(try await database.texts("SELECT 1 FROM pg_namespace WHERE nspname = 'regionsync'").isEmpty)
            try await database.superuser.query(CheckedRegion.ownTablesSQL)
            #expect(try await database.migrate(capturingRegion: "eu-west").contains("history: eu-west captures"))
            let weak = await #expect(throws: PostgresError.self) {
                try await SchemaMigration(database.region.read()).run()
            }
            #expect(weak?.sqlState == "42501")
            try await database.superuser.query("INSERT INTO regionsync.schema_version VALUES (99, 'newer')")
            await #expect(throws: ProvisioningSchema.NewerSchema.self) { try await database.migrate() }
            let faults = try await database.faults()
            #expect(faults.map(\.subject) == ["schema", "history"])
            #expect(faults.last?.statement.hasPrefix("eu-west captures, which is neither") == true)
        }
    }
}
