internal import PostgresClient
internal import Provisioning
internal import RegionConfig

/// What PostgreSQL's own catalog says of the tables that a region's catalog names, and of their partitions.
struct CatalogState: Sendable {
    /// A table or a partition that holds rows.
    struct Relation: Sendable {
        let name: TableName
        /// The table of the region's catalog this is, or is a partition of.
        let root: TableName
        /// `pg_class.relkind`: `r` for a table, `p` for one whose rows are in partitions.
        let kind: String
        /// `pg_class.relpersistence`: `p` for one whose changes are in the WAL.
        let persistence: String
        /// `pg_class.relreplident`: `d`efault, `n`othing, `f`ull or an `i`ndex.
        let replicaIdentity: String
        /// Whether the worker's role may use the table's schema.
        let isSchemaAllowed: Bool
        /// Whether policies hide rows from the worker's role.
        let isRowSecurityActive: Bool
        var columns: [Column] = []
        /// Whether the worker's role may divide the table among readers.
        var isLocationAllowed = false
        var indexes: [Index] = []

        var holdsRows: Bool { kind != "p" }
    }

    struct Column: Sendable {
        let number: Int
        let name: String
        let isNotNull: Bool
        /// A type of whole numbers, or a domain over one.
        let isInteger: Bool
        /// A type of texts, or a domain over one.
        let isText: Bool
        /// Computed by PostgreSQL, so not replicated.
        let isGenerated: Bool
        /// Whether the worker's role may read it.
        let isAllowed: Bool
    }

    struct Index: Sendable {
        let name: String
        let isUnique: Bool
        /// Whole, over plain columns, checked at once: what a replica identity takes.
        let isPlain: Bool
        /// Whether its building has come to an end.
        let isValid: Bool
        let isPrimary: Bool
        let isReplicaIdentity: Bool
        var columns: [String] = []
    }

    /// In the order of the region's catalog, partitions behind their table.
    private(set) var relations: [Relation] = []

    /// The table itself, nil if there is none.
    subscript(table: TableName) -> Relation? {
        relations.first { $0.name == table && $0.root == table }
    }

    /// Asks through `connection`, in the rights of its user.
    static func read(
        _ catalog: Catalog, through connection: PostgresConnection
    ) async throws(PostgresError) -> CatalogState {
        var state = CatalogState()
        var places: [String: Int] = [:]
        for row in try await connection.query(relationsQuery(catalog)) {
            places[try row.string("oid")] = state.relations.count
            state.relations.append(try relation(row))
        }
        let oids = "{\(places.keys.joined(separator: ","))}"
        for row in try await connection.query(columnsQuery, [oids]) {
            guard let place = places[try row.string("attrelid")] else { continue }
            let column = try column(row)
            if column.number > 0 {
                state.relations[place].columns.append(column)
            } else {
                state.relations[place].isLocationAllowed = column.isAllowed
            }
        }
        for row in try await connection.query(indexesQuery, [oids]) {
            guard let place = places[try row.string("indrelid")] else { continue }
            var index = try index(row)
            if state.relations[place].indexes.last?.name == index.name {
                index = state.relations[place].indexes.removeLast()
            }
            index.columns.append(try row.optionalString("attname") ?? "")
            state.relations[place].indexes.append(index)
        }
        return state
    }

    // MARK: Rows

    private static func relation(_ row: PostgresRow) throws(PostgresError) -> Relation {
        Relation(
            name: TableName(schema: try row.string("nspname"), name: try row.string("relname")),
            root: TableName(schema: try row.string("root_schema"), name: try row.string("root_name")),
            kind: try row.string("relkind"), persistence: try row.string("relpersistence"),
            replicaIdentity: try row.string("relreplident"), isSchemaAllowed: try row.boolean("schema_allowed"),
            isRowSecurityActive: try row.boolean("row_security"))
    }

    private static func column(_ row: PostgresRow) throws(PostgresError) -> Column {
        Column(
            number: try row.integer("attnum"), name: try row.string("attname"),
            isNotNull: try row.boolean("attnotnull"), isInteger: try row.boolean("integer"),
            isText: try row.boolean("text"), isGenerated: try row.boolean("generated"),
            isAllowed: try row.boolean("allowed"))
    }

    private static func index(_ row: PostgresRow) throws(PostgresError) -> Index {
        Index(
            name: try row.string("relname"), isUnique: try row.boolean("indisunique"),
            isPlain: try row.boolean("plain"), isValid: try row.boolean("indisvalid"),
            isPrimary: try row.boolean("indisprimary"), isReplicaIdentity: try row.boolean("indisreplident"))
    }

    // MARK: Queries

    private static func relationsQuery(_ catalog: Catalog) -> String {
        let wanted = catalog.tables.enumerated().map { place, entry in
            "(\(place), \(SQL.literal(entry.table.schema)), \(SQL.literal(entry.table.name)))"
        }
        return """
            SELECT part.oid, own.nspname, part.relname, root_schema, root_name, part.relkind, part.relpersistence,
                part.relreplident, has_schema_privilege(part.relnamespace, 'USAGE') AS schema_allowed,
                row_security_active(part.oid) AS row_security
            FROM (VALUES \(wanted.joined(separator: ", "))) AS wanted (place, root_schema, root_name)
            JOIN pg_namespace AS home ON home.nspname = root_schema
            JOIN pg_class AS root ON root.relnamespace = home.oid AND root.relname = root_name
            CROSS JOIN LATERAL (
                SELECT root.oid AS member UNION SELECT relid FROM pg_partition_tree(root.oid) WHERE isleaf
            ) AS members
            JOIN pg_class AS part ON part.oid = member
            JOIN pg_namespace AS own ON own.oid = part.relnamespace
            ORDER BY place, part.oid <> root.oid, part.relname
            """
    }

    private static let columnsQuery = """
        SELECT attrelid, attnum, attname, attnotnull, attgenerated <> '' AS generated,
            has_column_privilege(attrelid, attnum, 'SELECT') AS allowed, typcategory = 'S' AS text,
            CASE WHEN typtype = 'd' THEN typbasetype ELSE pg_type.oid END
                IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AS integer
        FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
        WHERE attrelid = ANY ($1::oid[]) AND (attnum > 0 OR attname = 'ctid') AND NOT attisdropped
        ORDER BY attrelid, attnum
        """

    private static let indexesQuery = """
        SELECT indrelid, relname, indisunique, indisvalid, indisprimary, indisreplident, attname,
            indpred IS NULL AND indexprs IS NULL AND indimmediate AS plain
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        CROSS JOIN LATERAL unnest(indkey) WITH ORDINALITY AS part (number, place)
        LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = part.number AND attnum > 0
        WHERE indrelid = ANY ($1::oid[]) AND part.place <= indnkeyatts
        ORDER BY indrelid, indexrelid, part.place
        """
}

extension CatalogState.Relation {
    /// What capture reads and publishes of it.
    func published(_ entry: CatalogTable) -> [CatalogState.Column] {
        columns.filter { !$0.isGenerated && !entry.omit.contains($0.name) }
    }

    /// The columns by which PostgreSQL tells a changed or deleted row; nil for all of them.
    var identityColumns: [String]? {
        switch replicaIdentity {
        case "f": nil
        case "d": indexes.first(where: \.isPrimary)?.columns ?? []
        case "i": indexes.first(where: \.isReplicaIdentity)?.columns ?? []
        default: []
        }
    }
}
