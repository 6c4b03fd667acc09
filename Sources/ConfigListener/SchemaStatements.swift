internal import Provisioning
internal import RegionConfig

/// What asks PostgreSQL for a `WrittenSchema`.
struct SchemaStatements {
    let catalog: Catalog
    let publication: String

    /// Schema, table, column, type, NOT NULL, fill, length, published; a row for each column.
    var columns: WriteStatement {
        let names = catalog.tables.map { "(\(SQL.literal($0.table.schema)), \(SQL.literal($0.table.name)))" }
        // As JSON: lists of columns came with PostgreSQL 15.
        return WriteStatement(
            """
            WITH published AS MATERIALIZED (
                SELECT schemaname, tablename, to_jsonb(listed) -> 'attnames' AS names
                FROM pg_publication_tables AS listed WHERE pubname = $1
            )
            SELECT nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull,
                CASE WHEN attgenerated <> '' OR attidentity = 'a' THEN 'generated'
                    WHEN atthasdef OR attidentity <> '' THEN 'default' ELSE 'client' END,
                CASE WHEN atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND atttypmod > 4 THEN atttypmod - 4 END,
                attgenerated = '' AND published.schemaname IS NOT NULL
                    AND coalesce(published.names ? attname::text, true)
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
                JOIN pg_namespace ON pg_namespace.oid = relnamespace
                LEFT JOIN published ON schemaname = nspname AND tablename = relname
            WHERE (nspname, relname) IN (VALUES \(names.joined(separator: ", "))) AND attnum > 0 AND NOT attisdropped
            ORDER BY nspname, relname, attnum
            """, [publication])
    }

    /// Schema, table, name, kind, column, and the schema and table that a foreign key references; a row for each column.
    ///
    /// Of all tables in the schemas, since triggers may touch others than the catalog's.
    var constraints: WriteStatement {
        let schemas = Set(catalog.tables.map(\.table.schema)).sorted().map { SQL.literal($0) }
        return WriteStatement(
            """
            SELECT space.nspname, owner.relname, demand.name, demand.kind, attname, other_space.nspname, other.relname
            FROM (
                SELECT conrelid AS owner, conname AS name, contype::text AS kind, conkey AS columns, confrelid AS other
                FROM pg_constraint WHERE contype IN ('c', 'f', 'x')
                UNION ALL
                SELECT indrelid, relname, 'u', indkey::int2[], 0::oid
                FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indisunique
            ) AS demand
                JOIN pg_class AS owner ON owner.oid = demand.owner
                JOIN pg_namespace AS space ON space.oid = owner.relnamespace
                LEFT JOIN pg_class AS other ON other.oid = demand.other
                LEFT JOIN pg_namespace AS other_space ON other_space.oid = other.relnamespace
                CROSS JOIN LATERAL unnest(demand.columns) WITH ORDINALITY AS part (number, place)
                JOIN pg_attribute ON attrelid = demand.owner AND attnum = part.number
            WHERE space.nspname IN (\(schemas.joined(separator: ", ")))
            ORDER BY space.nspname, owner.relname, demand.name, part.place
            """)
    }
}
