import PostgresClient
import Provisioning
import RegionConfig
import Testing

@Suite("The schema, on a real PostgreSQL")
struct ProvisioningSchemaTests {
    @Test("migrates repeatably; every table of the catalog is published with what identifies its rows")
    func migration() async throws {
        try await TestDatabase.with { database in
            try await database.migrate()
            try await database.migrate()
            let versions = try await database.texts("SELECT version FROM regionsync.schema_version ORDER BY 1")
            #expect(versions == ["1", "2", "3", "4", "5", "6"])
            #expect(try await database.texts("SELECT capture_region FROM regionsync.history") == ["us-east"])
            let published = try await database.texts(
                "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = 'regionsync'")
            #expect(Set(published) == Set(database.catalog.tables.map(\.table.description)))
            let password = """
                SELECT attnames FROM pg_publication_tables
                WHERE tablename = 'person' AND attnames @> '{password_changed_at}' AND NOT attnames @> '{password_hash}'
                """
            #expect(try await database.texts(password).count == 1)
            for entry in database.catalog.tables {
                #expect(try await identity(of: entry, in: database) == entry.identity, "\(entry.table)")
                let indexed = Set(entry.indexes.map(\.field)).union(entry.omit)
                #expect(indexed.isSubset(of: try await columns(of: entry, in: database)), "\(entry.table)")
            }
        }
    }

    @Test("A database of a newer program is refused, in words")
    func newer() throws {
        let newest = try #require(ProvisioningSchema.migrations.last?.version)
        #expect(try ProvisioningSchema.pending(after: newest).isEmpty)
        #expect(try ProvisioningSchema.pending(after: 0).map(\.version) == Array(1...newest))
        let error = #expect(throws: ProvisioningSchema.NewerSchema.self) {
            try ProvisioningSchema.pending(after: newest + 1)
        }
        #expect(error?.installed == newest + 1)
    }

    @Test("holds the rules of the domain")
    func rules() async throws {
        try await TestDatabase.with { database in
            try await database.connection.query(Self.someObjects)
            for (sql, state) in Self.refused {
                #expect(await database.refusal(of: sql) == state, "\(sql)")
            }
            for sql in Self.allowed {
                #expect(await database.refusal(of: sql) == nil, "\(sql)")
            }
            // Deleted numbers do not come back.
            #expect(try await database.texts("SELECT max(dbid) FROM provisioning.skill") == ["1"])
            let next = "INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'Polish') RETURNING dbid"
            #expect(try await database.texts(next).first.flatMap(Int.init).map { $0 > 2 } == true)
        }
    }

    @Test("A changed password shows only by its time")
    func password() async throws {
        try await TestDatabase.with { database in
            try await database.connection.query(Self.someObjects)
            let time = "SELECT password_changed_at FROM provisioning.person WHERE dbid = 1"
            #expect(try await database.texts(time) == [""])
            try await database.connection.query("UPDATE provisioning.person SET password_hash = 'x' WHERE dbid = 1")
            let first = try await database.texts(time)
            #expect(Int64(first[0]).map { $0 > 1_700_000_000_000_000 } == true)
            try await database.connection.query("UPDATE provisioning.person SET email = 'e' WHERE dbid = 1")
            #expect(try await database.texts(time) == first)
        }
    }

    @Test("Roles may do what they need and nothing else")
    func roles() async throws {
        try await TestDatabase.with { database in
            try await database.connection.query(Self.someObjects)
            let denied = "42501"
            let rights: [(role: String, sql: String, refusal: String?)] = [
                ("regionsync_capture", "SELECT ctid, dbid, user_name FROM provisioning.person", nil),
                ("regionsync_capture", "SELECT ctid, * FROM provisioning.skill", nil),
                ("regionsync_capture", "SELECT password_hash FROM provisioning.person", denied),
                ("regionsync_capture", "UPDATE provisioning.person SET email = ''", denied),
                ("regionsync_capture", "DELETE FROM regionsync.history", denied),
                ("regionsync_capture", ProvisioningSchema.firstCapture(by: "eu-west"), nil),
                ("regionsync_capture", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')", nil),
                ("regionsync_capture", "SELECT pg_drop_replication_slot('s')", nil),
                ("regionsync_read", "SELECT dbid, user_name FROM provisioning.person", nil),
                ("regionsync_read", "SELECT password_hash FROM provisioning.person", denied),
                ("regionsync_read", "INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'x')", denied),
                ("regionsync_write", "INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'x')", nil),
                ("regionsync_write", "UPDATE provisioning.person SET password_hash = 'y' WHERE dbid = 1", nil),
                ("regionsync_write", "UPDATE provisioning.place SET dn_dbids = '{1}' WHERE dbid = 1", nil),
                ("regionsync_write", "SELECT password_hash FROM provisioning.person", denied),
                ("regionsync_write", "TRUNCATE provisioning.person_skill", denied),
                ("regionsync_write", "DELETE FROM regionsync.once", nil),
                ("regionsync_read", "SELECT * FROM regionsync.once", denied),
                ("regionsync_capture", "SELECT * FROM regionsync.once", denied),
                ("regionsync_write", "INSERT INTO regionsync.history VALUES (2, 1, 1, 'x')", denied),
            ]
            for (role, sql, refusal) in rights {
                let connection = try await database.connection(as: role)
                do throws(PostgresError) {
                    try await connection.query(sql)
                    #expect(refusal == nil, "\(role): \(sql)")
                } catch {
                    #expect(error.sqlState == refusal, "\(role): \(sql)")
                }
                await connection.close()
            }
        }
    }

    @Test(
        "A table of the user's own: replica identity mended, hidden columns hidden, the publication follows the catalog"
    )
    func ownTable() async throws {
        try await TestDatabase.with { database in
            let table = CatalogTable(
                table: TableName(schema: "My Schema", name: "Odd Table"), type: "odd", key: ["Key"], tenant: "tenant",
                omit: ["secret"])
            let plain = CatalogTable(
                table: TableName(schema: "My Schema", name: "plain"), type: "plain", key: ["id"], tenant: "tenant")
            try await database.connection.query(
                """
                CREATE SCHEMA "My Schema";
                CREATE TABLE "My Schema"."Odd Table" ("Key" text NOT NULL, tenant int NOT NULL, secret text, note text,
                    doubled text GENERATED ALWAYS AS (note || note) STORED);
                CREATE TABLE "My Schema".plain (id int PRIMARY KEY, tenant int NOT NULL);
                INSERT INTO "My Schema"."Odd Table" VALUES ('a', 1, 's', 'n');
                """)
            for sql in table.replicaIdentitySQL { try await database.connection.query(sql) }
            for tables in [[table, plain], [table]] {
                for sql in SchemaAccess(Catalog(tables: tables), publication: "own \"one").statements {
                    try await database.connection.query(sql)
                }
            }
            let published = "SELECT tablename || attnames::text FROM pg_publication_tables WHERE pubname = 'own \"one'"
            #expect(try await database.texts(published) == ["Odd Table{Key,tenant,note}"])
            try await database.connection.query(#"UPDATE "My Schema"."Odd Table" SET note = 'm'"#)
            try await database.connection.query(#"DELETE FROM "My Schema"."Odd Table""#)
        }
    }

    private func identity(of entry: CatalogTable, in database: TestDatabase) async throws -> [String] {
        try await database.texts(
            """
            SELECT attname FROM pg_index
            JOIN LATERAL unnest(indkey) WITH ORDINALITY AS part (number, place) ON true
            JOIN pg_attribute ON attrelid = indrelid AND attnum = part.number
            WHERE indrelid = '\(entry.quotedTable)'::regclass AND indisreplident ORDER BY part.place
            """)
    }

    private func columns(of entry: CatalogTable, in database: TestDatabase) async throws -> Set<String> {
        Set(
            try await database.texts(
                "SELECT attname FROM pg_attribute WHERE attrelid = '\(entry.quotedTable)'::regclass AND attnum > 0"))
    }
}
