/// What `regionsync migrate` runs, as SQL text: every piece may run again, and all of it belongs in one transaction.
///
///     query(ProvisioningSchema.prepare)
///     installed = query(ProvisioningSchema.installedVersion)
///     for migration in try ProvisioningSchema.pending(after: installed) { query(migration.sql) }
///     for access in SchemaAccess(catalog, publication).statements { query(access) }
package enum ProvisioningSchema {
    /// One step from a version of the schema to the next.
    package struct Migration: Hashable, Sendable {
        /// Counted from 1.
        package let version: Int
        /// What it brings, in words for the operator.
        package let name: String
        /// Statements, the last of which records the version. Fails on a database that has it.
        package let sql: String

        init(version: Int, name: String, statements: [String]) {
            self.version = version
            self.name = name
            let record = """
                INSERT INTO regionsync.schema_version (version, name) VALUES (\(version), \(SQL.literal(name)));
                """
            sql = (statements + [record]).joined(separator: "\n")
        }
    }

    /// The database was migrated by a newer program.
    package struct NewerSchema: Error, Hashable, Sendable, CustomStringConvertible {
        /// Version in the database.
        package let installed: Int
        /// Newest version this program knows.
        package let known: Int

        package var description: String {
            "the schema in the database has version \(installed), this program knows \(known): use the newer program"
        }
    }

    /// All of them, oldest first. A released one is never changed.
    package static let migrations = [
        Migration(version: 1, name: "history of captures", statements: [historyTable]),
        Migration(
            version: 2, name: "provisioning objects",
            statements: [objectFunctions, tenantTable] + ObjectTable.telephony.map(\.sql) + [placeContents]),
        Migration(version: 3, name: "outbound objects", statements: ObjectTable.outbound.map(\.sql)),
        Migration(version: 4, name: "tenants from 1", statements: [positiveTenants]),
        Migration(version: 5, name: "writes by clients", statements: [onceTable, namedRefusals]),
        Migration(version: 6, name: "uniqueness within tenants", statements: [uniqueWithinTenants]),
    ]

    /// Keeps a second `migrate` out until this transaction ends, and makes the table of versions.
    package static let prepare = """
        SELECT pg_advisory_xact_lock(hashtext('regionsync.migrate'));
        CREATE SCHEMA IF NOT EXISTS regionsync;
        CREATE TABLE IF NOT EXISTS regionsync.schema_version (
            version integer PRIMARY KEY CHECK (version > 0),
            name text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        );
        """

    /// The version a prepared database has, 0 for none: one row, one column, `version`.
    package static let installedVersion = """
        SELECT coalesce(max(version), 0) AS version FROM regionsync.schema_version
        """

    /// The migrations that a database of version `installed` lacks, in order.
    package static func pending(after installed: Int) throws(NewerSchema) -> [Migration] {
        let known = migrations.last?.version ?? 0
        guard installed <= known else { throw NewerSchema(installed: installed, known: known) }
        return migrations.filter { $0.version > installed }
    }

    /// Makes `region` the one that captures, where no row of the history says who does.
    ///
    /// The timeline is that of the WAL being written; `pg_control_checkpoint()` would show the one before a promotion.
    package static func firstCapture(by region: String) -> String {
        """
        INSERT INTO regionsync.history (number, system_identifier, timeline, capture_region)
        SELECT 1, system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer,
            \(SQL.literal(region))
        FROM pg_control_system()
        WHERE NOT EXISTS (SELECT FROM regionsync.history)
        """
    }

    /// `number` leads every position: `number · 2^52 + LSN` in 64 bits (journal.md).
    private static let historyTable = """
        CREATE TABLE regionsync.history (
            number integer PRIMARY KEY CHECK (number BETWEEN 1 AND 4095),
            system_identifier bigint NOT NULL,
            timeline integer NOT NULL CHECK (timeline > 0),
            capture_region text NOT NULL CHECK (capture_region <> ''),
            since timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE regionsync.history IS
            'Who captures, newest row; a new timeline, system or capturing region gets the next number. Never deleted.';
        """

    /// Columns marked `!` in domain.md are guarded by triggers that call `refuse_change`.
    private static let objectFunctions = """
        CREATE SCHEMA provisioning;
        CREATE FUNCTION provisioning.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $function$
        BEGIN
            RAISE EXCEPTION '%.% cannot change after creation: %', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0]
                USING ERRCODE = 'integrity_constraint_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
        END
        $function$;
        CREATE FUNCTION provisioning.mark_password_change() RETURNS trigger LANGUAGE plpgsql AS $function$
        BEGIN
            NEW.password_changed_at := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
            RETURN NEW;
        END
        $function$;
        """

    /// Tenants belong to themselves: their tenant column is `dbid`.
    private static let tenantTable = """
        CREATE TABLE provisioning.tenant (
            dbid bigint GENERATED ALWAYS AS IDENTITY (START WITH 101) PRIMARY KEY,
            name text NOT NULL UNIQUE CHECK (char_length(name) BETWEEN 1 AND 64),
            parent_tenant_dbid bigint REFERENCES provisioning.tenant,
            is_service_provider boolean NOT NULL DEFAULT false,
            charge_number text,
            \(ObjectTable.commonColumns)
        );
        ALTER TABLE provisioning.tenant REPLICA IDENTITY USING INDEX tenant_pkey;
        CREATE TRIGGER tenant_environment BEFORE UPDATE OR DELETE ON provisioning.tenant
            FOR EACH ROW WHEN (OLD.dbid = 1) EXECUTE FUNCTION provisioning.refuse_change('tenant 1, Environment');
        INSERT INTO provisioning.tenant (dbid, name, is_service_provider)
            OVERRIDING SYSTEM VALUE VALUES (1, 'Environment', true);
        """

    /// What writes that were asked for with a ONCE key have answered, so that repeating one has no second effect.
    private static let onceTable = """
        CREATE TABLE regionsync.once (
            account text NOT NULL,
            tenant bigint NOT NULL,
            key text NOT NULL,
            request bytea NOT NULL,
            answer text,
            at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (account, tenant, key)
        );
        CREATE INDEX once_at ON regionsync.once (at);
        COMMENT ON TABLE regionsync.once IS 'Answers to writes with a ONCE key, kept for a day.';
        """

    /// Programs see which column cannot change.
    private static let namedRefusals = """
        CREATE OR REPLACE FUNCTION provisioning.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $function$
        BEGIN
            RAISE EXCEPTION '%.% cannot change after creation: %', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0]
                USING ERRCODE = 'integrity_constraint_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
                    COLUMN = TG_ARGV[0];
        END
        $function$;
        """

    /// What refers to another tenant's object is refused as what refers to none, also where that object is referred to in
    /// its own tenant: uniqueness, which PostgreSQL looks at first, ends at the tenant. Links have it in their identity.
    private static let uniqueWithinTenants = """
        ALTER TABLE provisioning.dn DROP CONSTRAINT dn_switch_dbid_number_key,
            ADD CONSTRAINT dn_switch_dbid_number_key UNIQUE (tenant_dbid, switch_dbid, number);
        ALTER TABLE provisioning.agent_login DROP CONSTRAINT agent_login_switch_dbid_login_code_key,
            ADD CONSTRAINT agent_login_switch_dbid_login_code_key UNIQUE (tenant_dbid, switch_dbid, login_code);
        ALTER TABLE provisioning.campaign_group DROP CONSTRAINT campaign_group_campaign_dbid_name_key,
            ADD CONSTRAINT campaign_group_campaign_dbid_name_key UNIQUE (tenant_dbid, campaign_dbid, name);
        ALTER TABLE provisioning.place_dn DROP CONSTRAINT place_dn_pkey,
            ADD CONSTRAINT place_dn_pkey PRIMARY KEY (tenant_dbid, dn_dbid) DEFERRABLE;
        ALTER TABLE provisioning.person_skill DROP CONSTRAINT person_skill_pkey;
        ALTER TABLE provisioning.agent_group_member DROP CONSTRAINT agent_group_member_pkey;
        ALTER TABLE provisioning.place_group_member DROP CONSTRAINT place_group_member_pkey;
        ALTER TABLE provisioning.dn_group_member DROP CONSTRAINT dn_group_member_pkey;
        """

    /// Journals and keys carry the dbid of a tenant without a sign; every other table refers to this one.
    private static let positiveTenants = """
        ALTER TABLE provisioning.tenant ADD CONSTRAINT tenant_dbid_positive CHECK (dbid > 0);
        """
}
