import Journal
import NIOPosix
import PostgresClient
import Preflight
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing

@Suite("Checking PostgreSQL, on real servers")
struct PostgresCheckTests {
    @Test("Each flaw is found, and the SQL that is printed mends it", .timeLimit(.minutes(15)))
    func flaws() async throws {
        try await PostgresDatabase.withOwnTables { database in
            try await database.expectNoFault()
            for flaw in PostgresFlaw.all {
                for sql in flaw.sql { try await database.superuser.query(sql) }
                let faults = try await database.faults()
                let fault = try #require(
                    faults.first { $0.subject == flaw.subject && $0.statement.contains(flaw.says) },
                    "\(flaw.sql): \(faults)")
                #expect(fault.severity == flaw.severity, "\(fault)")
                try await mend(faults, in: database)
                // What one remedy uncovers, the next one mends.
                try await mend(try await database.faults(), in: database)
                try await database.expectNoFault()
            }
        }
    }

    private func mend(_ faults: [Finding], in database: PostgresDatabase) async throws {
        for fault in faults {
            let remedy = try #require(fault.remedy, "\(fault)")
            #expect(remedy.means == .sql, "\(fault)")
            for command in remedy.commands { try await database.superuser.query(command) }
        }
    }

    @Test("The role that writes: named where it is wanted, let in, and with its rights")
    func writer() async throws {
        try await PostgresDatabase.withOwnTables { database in
            var region = database.region
            #expect(try await region.check().findings.filter { $0.subject == "writer" }.isEmpty)
            region.rest = ["listeners: {config: {port: \(try freePort())}}"]
            #expect(try await region.check().fault("writer").severity == .warning)
            region.postgres.append("writer: {}")
            let right = try await region.check().findings(at: "postgres").filter { $0.subject == "writer" }
            #expect(right.map(\.severity) == [.ok])
            try await database.superuser.query("REVOKE UPDATE ON plain FROM regionsync_write")
            #expect(try await region.check().fault("writer").statement == "regionsync_write may not write public.plain")
            try await database.migrate()
            try await database.superuser.query("REVOKE DELETE ON regionsync.once FROM regionsync_write")
            let once = try await region.check().fault("writer")
            #expect(once.severity == .error && once.statement.hasSuffix("may not write regionsync.once"), "\(once)")
            for table in ["plain", "regionsync.once", "regionsync.history"] {
                try await database.migrate()
                try await database.superuser.query("REVOKE SELECT ON \(table) FROM regionsync_write")
                let unread = try await region.check().fault("writer")
                #expect(unread.severity == .error, "\(unread)")
                let name = table == "plain" ? "public.plain" : table
                #expect(unread.statement == "regionsync_write may not read \(name)")
            }
            try await database.superuser.query("ALTER ROLE regionsync_write NOLOGIN")
            #expect(try await region.check().fault("writer").severity == .error)
        }
    }

    @Test("A slot that another program streams from")
    func heldSlot() async throws {
        try await PostgresDatabase.withOwnTables { database in
            var options = PostgresOptions(
                host: database.server.host, port: database.server.port, database: "postgres", user: "postgres")
            options.isReplication = true
            options.applicationName = "somebody"
            let other = try await PostgresConnection.connect(options)
            let slot = try await other.createSlot("regionsync", exportsSnapshot: false, timeout: .seconds(60))
            try await database.expectNoFault()
            try await other.startReplication(
                slot: "regionsync", from: slot.consistentPoint, publications: ["regionsync"])
            let fault = try await database.region.check().fault("slot")
            #expect(fault.statement.contains("in use by process") && fault.statement.contains("somebody"), "\(fault)")
            try await mend([fault], in: database)
            // The end of a terminated process is not awaited.
            while try await database.texts("SELECT 1 FROM pg_replication_slots WHERE active").isEmpty == false {}
            try await database.expectNoFault()
            await other.close()
        }
    }

    @Test("A slot from which capture streams is as it must be, whichever connection of a worker it is")
    func ownStream() async throws {
        try await PostgresDatabase.withOwnTables { database in
            for name in ["regionsync capture", "regionsync-us-east-capture"] {
                var options = PostgresOptions(
                    host: database.server.host, port: database.server.port, database: "postgres", user: "postgres")
                options.isReplication = true
                options.applicationName = name
                let capture = try await PostgresConnection.connect(options)
                let slot = try await capture.createSlot("regionsync", exportsSnapshot: false, timeout: .seconds(60))
                try await capture.startReplication(
                    slot: "regionsync", from: slot.consistentPoint, publications: ["regionsync"])
                let findings = try await database.region.check().findings(at: "postgres")
                let said = findings.filter { $0.subject == "slot" }
                #expect(said.count == 1 && said[0].severity == .ok, "\(said)")
                #expect(said.first?.statement.hasPrefix("regionsync streams, ") == true, "\(said)")
                await capture.close()
                while try await database.texts("SELECT 1 FROM pg_replication_slots WHERE active").isEmpty == false {}
                try await database.superuser.query("SELECT pg_drop_replication_slot('regionsync')")
            }
        }
    }

    @Test("A slot that is gone although the region has captured: a comparison follows, and that is said")
    func droppedSlot() async throws {
        try await PostgresDatabase.withOwnTables { database in
            try await RedisServer.with { server in
                var region = database.region
                region.redis = ["host: 127.0.0.1", "port: \(server.port)"]
                let before = try await region.check().findings(at: "postgres").filter { $0.subject == "slot" }
                #expect(before.map(\.severity) == [.ok])
                let redis = try await RedisConnection.connect(
                    to: RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(30)), name: "test",
                    on: MultiThreadedEventLoopGroup.singleton.any())
                let position = try #require(Position(history: 3, lsn: 0x1_0000_0020))
                _ = try await redis.send(
                    RedisCommand(
                        "HSET", JournalName.provisioning(origin: "us-east").metaKey, "position", "\(position)"))
                await redis.close()
                let fault = try await region.check().fault("slot")
                #expect(fault.severity == .warning)
                #expect(fault.statement == "regionsync is gone, and the journal of us-east ends at 1/20 of history 3")
                #expect(fault.remedy?.note?.contains("by comparing") == true, "\(fault)")
            }
        }
    }

    @Test("Tables and columns that are not there, a view, a partitioned table")
    func shapes() async throws {
        try await PostgresDatabase.withOwnTables { database in
            var region = database.region
            try await database.superuser.query(
                """
                CREATE VIEW seen AS SELECT * FROM plain;
                CREATE TABLE parted (id int, tenant int NOT NULL) PARTITION BY LIST (tenant);
                CREATE TABLE part_one PARTITION OF parted FOR VALUES IN (1);
                """)
            region.catalog = [
                "  - {table: public.absent, key: [id], tenant: tenant}",
                "  - {table: provisioning.absent, type: gone, key: [id], tenant: tenant}",
                "  - {table: public.plain, key: [id, number], tenant: dbid}",
                "  - {table: public.seen, key: [id], tenant: tenant}",
                "  - {table: public.parted, key: [id], tenant: tenant}",
            ]
            let report = try await region.check()
            let statements = report.findings(at: "postgres").filter { $0.severity == .error }.map(\.statement)
            let expected = [
                "table public.absent does not exist", "table provisioning.absent does not exist",
                "public.plain has no column dbid, number; it has id, tenant", "public.seen is a view; expected a table",
                "public.part_one: a deleted row's tenant, id would not be known",
            ]
            for statement in expected { #expect(statements.contains(statement), "\(statement): \(statements)") }
            region.catalog = ["  - {table: public.parted, key: [id], tenant: tenant}"]
            let parted = PostgresDatabase(server: database.server, superuser: database.superuser, region: region)
            try await mend(try await parted.faults(), in: parted)
            try await parted.expectNoFault()
            try await database.superuser.query("INSERT INTO parted VALUES (1, 1); UPDATE parted SET id = 2")
        }
    }

    @Test("Names of our own fields may be omitted; a domain over integers is a tenant; text keys are said")
    func columns() async throws {
        try await PostgresDatabase.withOwnTables { database in
            try await database.superuser.query(
                """
                CREATE DOMAIN dbid AS bigint;
                CREATE TABLE named (name text, tenant dbid, _v int, PRIMARY KEY (tenant, name));
                """)
            var wider = database
            wider.region.catalog.append("  - {table: public.named, key: [name], tenant: tenant, omit: [_v]}")
            try await wider.migrate()
            try await wider.expectNoFault()
            let statements = try await wider.region.check().findings(at: "postgres").map(\.statement)
            #expect(
                statements.contains(
                    "public.named: keys are texts; an object whose name begins with by: is not projected"))
            #expect(statements.contains("3 tables, readable, rows told apart by tenant and key"))
        }
    }

    @Test("A database in another encoding than UTF8")
    func encoding() async throws {
        try await PostgresDatabase.with { database in
            try await database.superuser.query(
                "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
            var region = database.region
            region.postgres = [
                "host: 127.0.0.1", "port: \(database.server.port)", "user: postgres", "database: latin",
            ]
            let fault = try await region.check().fault("server_encoding")
            #expect(fault.severity == .error)
            #expect(fault.statement == "database latin is in LATIN1; expected UTF8")
            for command in try #require(fault.remedy).commands { try await database.superuser.query(command) }
            region.postgres[3] = "database: latin_utf8"
            let findings = try await region.check().findings
            #expect(!findings.contains { $0.subject == "server_encoding" })
        }
    }

    @Test("A server that is not set up for logical replication")
    func settings() async throws {
        let settings = ["wal_level": "replica", "max_replication_slots": "1", "max_slot_wal_keep_size": "64MB"]
        try await PostgresDatabase.with(settings: settings) { database in
            try await database.superuser.query("SELECT pg_create_physical_replication_slot('other')")
            let faults = try await database.faults()
            #expect(faults.map(\.subject) == ["connection"])
            #expect(faults.first?.remedy?.commands.first?.hasPrefix("regionsync migrate") == true, "\(faults)")
            try await database.superuser.query(CheckedRegion.ownTablesSQL)
            try await database.migrate()
            let expected = [
                "wal_level": "replica; expected logical", "max_replication_slots": "all 1 are in use",
                "max_slot_wal_keep_size": "64 MiB: PostgreSQL gives the slot up before limits.retainedWALBytes "
                    + "(8192 MiB) raises an alarm",
            ]
            for (subject, statement) in expected {
                let fault = try await database.region.check().fault(subject)
                #expect(fault.statement == statement)
                try await mend([fault], in: database)
            }
            // ALTER SYSTEM was understood; it needs a restart, and the fixture's arguments win.
            let written = try await database.texts(
                "SELECT name FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'")
            #expect(Set(written) == Set(expected.keys))
        }
    }

    @Test("Who is not let in hears why, and the secret is nowhere")
    func credentials() async throws {
        let rules = [
            "host all walled 127.0.0.1/32 scram-sha-256", "host all banned 127.0.0.1/32 reject",
        ]
        try await PostgresDatabase.with(accessRules: rules) { database in
            try await database.superuser.query("CREATE ROLE walled LOGIN PASSWORD 'right'; CREATE ROLE banned LOGIN")
            let cases = [
                ("walled", "postgres", "password authentication failed", "ALTER ROLE \"walled\" PASSWORD"),
                ("banned", "postgres", "pg_hba.conf rejects", "SELECT pg_reload_conf()"),
                ("nobody", "postgres", "role \"nobody\" does not exist", "regionsync migrate"),
                ("postgres", "nowhere", "database \"nowhere\" does not exist", "CREATE DATABASE \"nowhere\""),
            ]
            for (user, name, says, mends) in cases {
                var region = database.region
                region.postgres = [
                    "host: 127.0.0.1", "port: \(database.server.port)", "user: \(user)", "database: \(name)",
                    "passwordEnv: PASSWORD",
                ]
                region.environment = ["PASSWORD": "canary-secret"]
                let report = try await region.check()
                let fault = try report.fault("connection", at: "postgres")
                #expect(fault.statement.contains(says), "\(fault)")
                #expect(fault.remedy?.commands.first?.hasPrefix(mends) == true, "\(fault)")
                for text in [report.table, report.json] { #expect(!text.contains("canary")) }
            }
            var region = database.region
            region.postgres = ["host: 127.0.0.1", "port: \(try freePort())", "user: u", "database: d"]
            let unreachable = try await region.check().fault("connection", at: "postgres")
            #expect(unreachable.statement.contains("refused"))
        }
    }
}
