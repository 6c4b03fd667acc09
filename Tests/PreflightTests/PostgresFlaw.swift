import Preflight

/// A way to spoil a database that was right, and what must be said of it.
struct PostgresFlaw {
    let subject: String
    let says: String
    var severity = Finding.Severity.error
    let sql: [String]

    static let all = roles + publications + identities + tables + slots

    private static let roles = [
        PostgresFlaw(
            subject: "role", says: "lacks REPLICATION", sql: ["ALTER ROLE regionsync_capture NOREPLICATION"]),
        PostgresFlaw(
            subject: "role", says: "cannot name the transactions", severity: .warning,
            sql: ["REVOKE pg_read_all_stats FROM regionsync_capture"]),
        PostgresFlaw(
            subject: "schema", says: "may not use regionsync.history",
            sql: ["REVOKE INSERT ON regionsync.history FROM regionsync_capture"]),
        PostgresFlaw(
            subject: "schema", says: "may not use regionsync.",
            sql: ["REVOKE ALL ON SCHEMA regionsync FROM regionsync_capture"]),
        PostgresFlaw(
            subject: "catalog", says: "may not read public.thing",
            sql: ["REVOKE SELECT ON thing FROM regionsync_capture"]),
        PostgresFlaw(
            subject: "catalog", says: "may not read public.thing, public.plain",
            sql: ["REVOKE ALL ON SCHEMA public FROM public, regionsync_capture"]),
    ]

    private static let publications = [
        PostgresFlaw(subject: "publication", says: "does not exist", sql: ["DROP PUBLICATION regionsync"]),
        PostgresFlaw(
            subject: "publication", says: "public.plain is not published",
            sql: ["ALTER PUBLICATION regionsync DROP TABLE plain"]),
        PostgresFlaw(
            subject: "publication", says: "public.thing publishes secret, which must not leave",
            sql: ["ALTER PUBLICATION regionsync SET TABLE thing, plain"]),
        PostgresFlaw(
            subject: "publication", says: "public.thing publishes secret, which must not leave",
            sql: ["ALTER PUBLICATION regionsync SET TABLE thing (id, tenant, secret), plain"]),
        PostgresFlaw(
            subject: "publication", says: "public.thing lacks note",
            sql: ["ALTER PUBLICATION regionsync SET TABLE thing (id, tenant), plain"]),
        PostgresFlaw(
            subject: "publication", says: "public.plain is published by a column list",
            sql: ["ALTER PUBLICATION regionsync SET TABLE thing (id, tenant, note), plain (id, tenant)"]),
        PostgresFlaw(
            subject: "publication", says: "public.plain is published with a row filter",
            sql: ["ALTER PUBLICATION regionsync SET TABLE thing (id, tenant, note), plain WHERE (id > 1)"]),
        PostgresFlaw(
            subject: "publication", says: "lacks some kinds of change",
            sql: ["ALTER PUBLICATION regionsync SET (publish = 'insert')"]),
        PostgresFlaw(
            subject: "publication", says: "names partitions",
            sql: ["ALTER PUBLICATION regionsync SET (publish_via_partition_root = false)"]),
        PostgresFlaw(
            subject: "publication", says: "tables the catalog does not name: public.other", severity: .warning,
            sql: ["CREATE TABLE other (id int PRIMARY KEY)", "ALTER PUBLICATION regionsync ADD TABLE other"]),
        PostgresFlaw(
            subject: "publication", says: "is FOR ALL TABLES",
            sql: [
                "DROP PUBLICATION regionsync",
                "CREATE PUBLICATION regionsync FOR ALL TABLES WITH (publish_via_partition_root)",
            ]),
        PostgresFlaw(
            subject: "publication", says: "public.thing publishes secret",
            sql: [
                "DROP PUBLICATION regionsync",
                "CREATE PUBLICATION regionsync FOR TABLES IN SCHEMA public WITH (publish_via_partition_root)",
            ]),
    ]

    private static let identities = [
        PostgresFlaw(
            subject: "replica identity", says: "public.thing: a deleted row's tenant would not be known",
            sql: ["ALTER TABLE thing REPLICA IDENTITY DEFAULT"]),
        PostgresFlaw(
            subject: "replica identity", says: "public.plain: a deleted row's tenant, id would not be known",
            sql: ["ALTER TABLE plain REPLICA IDENTITY NOTHING"]),
        PostgresFlaw(
            subject: "replica identity", says: "public.thing: FULL and omits secret",
            sql: ["ALTER TABLE thing REPLICA IDENTITY FULL"]),
        PostgresFlaw(
            subject: "replica identity", says: "public.plain: nothing keeps (tenant, id) unique",
            sql: [
                "ALTER TABLE plain DROP CONSTRAINT plain_pkey", "ALTER TABLE plain ALTER tenant DROP NOT NULL",
                "ALTER TABLE plain REPLICA IDENTITY FULL",
            ]),
        // A build that was given up leaves an index of the name that the remedy wants.
        PostgresFlaw(
            subject: "replica identity", says: "public.plain: a deleted row's tenant, id would not be known",
            sql: [
                "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'plain_regionsync'::regclass",
                "ALTER TABLE plain REPLICA IDENTITY NOTHING",
            ]),
        PostgresFlaw(
            subject: "replica identity", says: "public.thing: contains the omitted secret",
            sql: [
                "UPDATE thing SET secret = ''", "ALTER TABLE thing ALTER secret SET NOT NULL",
                "CREATE UNIQUE INDEX thing_hidden ON thing (tenant, id, secret)",
                "ALTER TABLE thing REPLICA IDENTITY USING INDEX thing_hidden",
            ]),
    ]

    private static let tables = [
        PostgresFlaw(
            subject: "catalog", says: "row security hides rows of public.plain",
            sql: ["ALTER TABLE plain ENABLE ROW LEVEL SECURITY"]),
        PostgresFlaw(
            subject: "catalog", says: "public.plain is unlogged",
            sql: ["ALTER PUBLICATION regionsync DROP TABLE plain", "ALTER TABLE plain SET UNLOGGED"]),
        PostgresFlaw(
            subject: "catalog", says: "public.plain has a column _v, _d, the name of a field of ours",
            sql: ["ALTER TABLE plain ADD COLUMN _v int, ADD COLUMN _d int, ADD COLUMN v int"]),
        PostgresFlaw(
            subject: "catalog", says: "public.plain: the tenant, tenant, is of no integer type",
            sql: ["ALTER TABLE plain ALTER COLUMN tenant TYPE text"]),
    ]

    private static let slots = [
        PostgresFlaw(
            subject: "slot", says: "is a physical slot",
            sql: ["SELECT pg_create_physical_replication_slot('regionsync')"]),
        PostgresFlaw(
            subject: "slot", says: "has plugin test_decoding; expected pgoutput",
            sql: ["SELECT pg_create_logical_replication_slot('regionsync', 'test_decoding')"]),
    ]
}
