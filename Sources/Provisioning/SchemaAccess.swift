package import RegionConfig

/// Roles, grants and the publication, made from the catalog: run again after every change of it.
///
/// Tables must exist. Whether column lists can be used is PostgreSQL's to say: 15 or newer.
package struct SchemaAccess: Sendable {
    private let catalog: Catalog
    private let publication: String

    /// Access to `catalog`, published as `publication`.
    package init(_ catalog: Catalog, publication: String) {
        self.catalog = catalog
        self.publication = publication
    }

    /// Everything, in order, each a text that runs on its own. Belongs in one transaction.
    package var statements: [String] {
        [Self.roles, grants, publish]
    }

    /// One of `statements`, and how to see whether it changes anything.
    package struct Part: Sendable {
        /// In words, for the operator.
        package let name: String
        /// The statement.
        package let sql: String
        /// A query of one column whose rows, in order, say all that `sql` sets.
        package let state: String
    }

    /// `statements` with what each is about.
    package var parts: [Part] {
        [
            Part(name: "roles \(Self.roleNames.joined(separator: ", "))", sql: Self.roles, state: Self.rolesState),
            Part(name: "grants", sql: grants, state: Self.grantsState),
            Part(name: "publication \(publication)", sql: publish, state: publishedState),
        ]
    }

    private static let roleNames = ["regionsync_capture", "regionsync_read", "regionsync_write"]

    private static var roleList: String { roleNames.map(SQL.literal).joined(separator: ", ") }

    private static let rolesState = """
        SELECT concat_ws(' ', rolname, rolcanlogin, rolreplication, pg_has_role(oid, 'pg_read_all_stats', 'MEMBER'))
        FROM pg_roles WHERE rolname IN (\(roleList)) ORDER BY 1
        """

    private static let grantsState = """
        SELECT concat_ws(' ', kind, object, number, grantee::regrole, privilege_type)
        FROM (
            SELECT 'schema' AS kind, nspname AS object, 0 AS number, nspacl AS acl FROM pg_namespace
            UNION ALL SELECT 'table', pg_class.oid::text, 0, relacl FROM pg_class
            UNION ALL SELECT 'column', attrelid::text, attnum, attacl FROM pg_attribute WHERE attacl IS NOT NULL
        ) AS objects CROSS JOIN LATERAL aclexplode(acl)
        WHERE grantee IN (SELECT oid FROM pg_roles WHERE rolname IN (\(roleList))) ORDER BY 1
        """

    private var publishedState: String {
        """
        SELECT concat_ws(' ', pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot) FROM pg_publication
            WHERE pubname = \(SQL.literal(publication))
        UNION ALL (
            SELECT concat_ws(' ', schemaname, tablename, to_jsonb(pg_publication_tables) - 'pubname')
            FROM pg_publication_tables WHERE pubname = \(SQL.literal(publication)) ORDER BY 1)
        """
    }

    /// The three roles, without passwords. Needs a superuser only where one of them is missing or lacks something.
    ///
    /// `pg_read_all_stats` lets capture name the transactions that keep a slot from being created.
    package static let roles = """
        DO $regionsync$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regionsync_read') THEN
                CREATE ROLE regionsync_read LOGIN;
            END IF;
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regionsync_write') THEN
                CREATE ROLE regionsync_write LOGIN;
            END IF;
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regionsync_capture') THEN
                CREATE ROLE regionsync_capture LOGIN REPLICATION;
            ELSIF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regionsync_capture' AND rolreplication) THEN
                ALTER ROLE regionsync_capture REPLICATION;
            END IF;
            IF NOT pg_has_role('regionsync_capture', 'pg_read_all_stats', 'MEMBER') THEN
                GRANT pg_read_all_stats TO regionsync_capture;
            END IF;
        END
        $regionsync$
        """

    /// Capture and readers see the published columns, capture also `ctid`, by which it divides a table among readers;
    /// writers write rows, hidden columns included, and may reserve identities. Nobody else gets anything.
    package var grants: String {
        """
        DO $regionsync$
        DECLARE
            entry record;
            columns text;
            sequence text;
        BEGIN
            GRANT USAGE ON SCHEMA regionsync TO regionsync_capture, regionsync_read, regionsync_write;
            GRANT SELECT ON regionsync.schema_version, regionsync.history
                TO regionsync_capture, regionsync_read, regionsync_write;
            GRANT INSERT ON regionsync.history TO regionsync_capture;
            GRANT SELECT, INSERT, UPDATE, DELETE ON regionsync.once TO regionsync_write;
            FOR entry IN SELECT * FROM \(published) LOOP
                EXECUTE format('GRANT USAGE ON SCHEMA %I TO regionsync_capture, regionsync_read, regionsync_write',
                    entry.schema);
                EXECUTE format('REVOKE ALL ON %s FROM regionsync_capture, regionsync_read, regionsync_write',
                    entry.name);
                columns := coalesce('(' || entry.columns || ')', '');
                EXECUTE format('GRANT SELECT %s ON %s TO regionsync_read, regionsync_write, regionsync_capture',
                    columns, entry.name);
                EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO regionsync_write', entry.name);
                FOR sequence IN SELECT pg_get_serial_sequence(entry.name, attname) FROM pg_attribute
                    WHERE attrelid = entry.name::regclass AND attidentity <> ''
                LOOP
                    EXECUTE format('GRANT USAGE, UPDATE ON SEQUENCE %s TO regionsync_write', sequence);
                END LOOP;
                IF entry.columns IS NOT NULL THEN
                    EXECUTE format('GRANT SELECT (ctid) ON %s TO regionsync_capture', entry.name);
                END IF;
            END LOOP;
        END
        $regionsync$
        """
    }

    /// Makes the publication, or makes it what the catalog says. A table with omitted columns gets a list of the others
    /// as they are now; the rest are published whole, so that new columns are captured without another migration.
    package var publish: String {
        """
        DO $regionsync$
        DECLARE
            tables text;
        BEGIN
            SELECT string_agg(name || coalesce(' (' || columns || ')', ''), ', ' ORDER BY name)
                INTO STRICT tables FROM \(published);
            IF EXISTS (SELECT FROM pg_publication WHERE pubname = \(SQL.literal(publication))) THEN
                EXECUTE \(SQL.literal("ALTER PUBLICATION \(name) SET TABLE ")) || tables;
                ALTER PUBLICATION \(name) SET (\(Self.options));
            ELSE
                EXECUTE \(SQL.literal("CREATE PUBLICATION \(name) FOR TABLE ")) || tables
                    || \(SQL.literal(" WITH (\(Self.options))"));
            END IF;
        END
        $regionsync$
        """
    }

    /// A partitioned table is published under the name the catalog has.
    private static let options =
        "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

    private var name: String { SQL.identifier(publication) }

    /// SQL: `schema`, quoted `name`, and the quoted `columns` where some are omitted, else NULL; a row for each table.
    private var published: String {
        let rows = catalog.tables.map { entry in
            let omitted = entry.omit.map(SQL.literal).joined(separator: ", ")
            return "(\(SQL.literal(entry.table.schema)), \(SQL.literal(entry.quotedTable)), ARRAY[\(omitted)]::text[])"
        }
        return """
            (
                SELECT schema, name, CASE WHEN omitted <> '{}' THEN (
                    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                    WHERE attrelid = name::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
                        AND attname <> ALL (omitted)
                ) END AS columns
                FROM (VALUES \(rows.joined(separator: ",\n"))) AS entry (schema, name, omitted)
            ) AS published
            """
    }
}

extension CatalogTable {
    /// The table's name for SQL.
    package var quotedTable: String {
        "\(SQL.identifier(table.schema)).\(SQL.identifier(table.name))"
    }

    /// The index that `replicaIdentitySQL` makes.
    package var replicaIdentityIndex: String { "\(table.name)_regionsync" }

    /// SQL that gives the table the replica identity that capture needs: a unique index over tenant and key. Their
    /// columns must be NOT NULL. Each statement runs on its own, outside a transaction.
    package var replicaIdentitySQL: [String] {
        let index = SQL.identifier(replicaIdentityIndex)
        let columns = identity.map(SQL.identifier).joined(separator: ", ")
        return [
            "CREATE UNIQUE INDEX CONCURRENTLY \(index) ON \(quotedTable) (\(columns))",
            "ALTER TABLE \(quotedTable) REPLICA IDENTITY USING INDEX \(index)",
        ]
    }
}
