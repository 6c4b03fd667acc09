/// The tables that capture follows and what each row of them becomes. Nothing else in the worker knows a table by name.
package struct Catalog: Hashable, Sendable {
    /// In the order of the file; tables and types are unique.
    package let tables: [CatalogTable]

    /// A catalog of `tables`, whose names and types must be unique.
    package init(tables: [CatalogTable]) {
        self.tables = tables
    }

    /// The table whose rows become objects of `type`.
    package subscript(type type: String) -> CatalogTable? {
        tables.first { $0.type == type }
    }

    /// The entry of a table by its schema and name as PostgreSQL spells them.
    package subscript(schema schema: String, table table: String) -> CatalogTable? {
        tables.first { $0.table == TableName(schema: schema, name: table) }
    }
}

/// A table by schema and name, spelled as `pg_class` has them: case counts and nothing is quoted.
package struct TableName: Hashable, Sendable {
    /// `pg_namespace.nspname`
    package let schema: String
    /// `pg_class.relname`
    package let name: String

    /// The table `name` in `schema`.
    package init(schema: String, name: String) {
        self.schema = schema
        self.name = name
    }
}

extension TableName: CustomStringConvertible {
    package var description: String { "\(schema).\(name)" }
}

/// One table to capture: what its rows are called, how they are told apart and how readers find them.
package struct CatalogTable: Hashable, Sendable {
    /// The table in PostgreSQL.
    package let table: TableName
    /// The object type its rows become: `person` in `cfg:{101}:person:7`.
    package let type: String
    /// The columns that identify an object within its type and tenant, in order; at least one.
    package let key: [String]
    /// The column that holds the tenant's dbid; for the table of tenants its own key column.
    package let tenant: String
    /// The fields by which readers find objects.
    package let indexes: [CatalogIndex]
    /// The columns that never leave PostgreSQL.
    package let omit: [String]

    /// A table of the catalog. `key` is not empty; `omit` names neither key, tenant nor indexed columns.
    package init(
        table: TableName, type: String, key: [String], tenant: String, indexes: [CatalogIndex] = [], omit: [String] = []
    ) {
        self.table = table
        self.type = type
        self.key = key
        self.tenant = tenant
        self.indexes = indexes
        self.omit = omit
    }

    /// The columns by which PostgreSQL must identify a deleted or changed row: tenant, then key, each once. A unique
    /// index over exactly these, used as replica identity, is what capture needs (capture.md).
    package var identity: [String] {
        [tenant] + key.filter { $0 != tenant }
    }
}

/// A field by which objects of a type are found: `cfg:{101}:person:by:user_name`.
package struct CatalogIndex: Hashable, Sendable {
    /// The column.
    package let field: String
    /// Whether a value names at most one object of the tenant.
    package let unique: Bool

    /// An index over `field`.
    package init(field: String, unique: Bool) {
        self.field = field
        self.unique = unique
    }
}
