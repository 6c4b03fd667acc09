internal import RESP
internal import RegionConfig

/// The catalog's tables as PostgreSQL has them now, with what its errors name: what writes are checked and explained by.
struct WrittenSchema: Hashable, Sendable {
    /// What a constraint, or unique index, demands.
    enum Kind: String, Hashable, Sendable {
        case check = "c"
        case foreign = "f"
        case unique = "u"
        case exclusion = "x"
    }

    /// A constraint's table and name.
    struct ConstraintName: Hashable, Sendable {
        let table: TableName
        let name: String
    }

    /// A constraint or a unique index.
    struct Constraint: Hashable, Sendable {
        let kind: Kind
        /// In its own order.
        var columns: [String]
        /// The table that a foreign key references.
        let referenced: TableName?
    }

    /// By type. A table that is not there has no columns.
    let tables: [String: WrittenTable]
    private(set) var constraints: [ConstraintName: Constraint] = [:]

    /// `columns` and `constraints` are what the statements of that name answered.
    init(_ catalog: Catalog, columns: StatementRows, constraints: StatementRows) {
        var found: [TableName: [WrittenTable.Column]] = [:]
        for row in columns.rows {
            guard row.count == 8, let schema = row[0], let table = row[1], let name = row[2], let type = row[3] else {
                continue
            }
            let column = WrittenTable.Column(
                name: name, type: type, isRequired: row[4] == "t",
                fill: WrittenTable.Fill(rawValue: row[5] ?? "") ?? .client,
                maximumLength: row[6].flatMap { Int($0) }, isPublished: row[7] == "t")
            found[TableName(schema: schema, name: table), default: []].append(column)
        }
        tables = Dictionary(
            catalog.tables.map { ($0.type, WrittenTable(entry: $0, columns: found[$0.table] ?? [])) },
            uniquingKeysWith: { first, _ in first })
        for row in constraints.rows {
            guard row.count == 7, let schema = row[0], let table = row[1], let name = row[2],
                let kind = row[3].flatMap({ Kind(rawValue: $0) }), let column = row[4]
            else { continue }
            let key = ConstraintName(table: TableName(schema: schema, name: table), name: name)
            var referenced: TableName?
            if let schema = row[5], let table = row[6] { referenced = TableName(schema: schema, name: table) }
            self.constraints[key, default: Constraint(kind: kind, columns: [], referenced: referenced)]
                .columns.append(column)
        }
    }

    /// The constraint that an error is about.
    func constraint(of refusal: DatabaseRefusal) -> Constraint? {
        guard let schema = refusal.schema, let table = refusal.table, let name = refusal.constraint else { return nil }
        return constraints[ConstraintName(table: TableName(schema: schema, name: table), name: name)]
    }

    /// Whether `field` of `table` names a tenant: a reference that leaves the object's own tenant.
    func isTenantReference(_ field: String, of table: WrittenTable) -> Bool {
        guard field != table.entry.tenant else { return false }
        let tenants = Set(tables.values.filter(\.isOfTenants).map(\.entry.table))
        return constraints.contains { name, constraint in
            name.table == table.entry.table && constraint.columns == [field]
                && constraint.referenced.map { tenants.contains($0) } ?? false
        }
    }
}

/// A table of the catalog, with its columns in PostgreSQL.
struct WrittenTable: Hashable, Sendable {
    /// Who gives a column its value in a new row.
    enum Fill: String, Hashable, Sendable {
        /// The client, or nobody.
        case client
        /// The server, unless the client does.
        case byDefault = "default"
        /// The server alone.
        case generated
    }

    struct Column: Hashable, Sendable {
        let name: String
        /// As SQL writes it, with its modifier: `character varying(64)`.
        let type: String
        /// NOT NULL.
        let isRequired: Bool
        let fill: Fill
        /// Characters, where the type says how many.
        let maximumLength: Int?
        /// Whether readers get it, and digests are made of it.
        let isPublished: Bool

        var isArray: Bool { type.hasSuffix("[]") }
    }

    let entry: CatalogTable
    let columns: [Column]

    subscript(column: String) -> Column? { columns.first { $0.name == column } }

    /// Its rows are the tenants themselves.
    var isOfTenants: Bool { entry.key == [entry.tenant] }

    /// Columns of the key that say more than the tenant.
    private var ownKey: [String] { isOfTenants ? entry.key : entry.key.filter { $0 != entry.tenant } }

    /// Whether the server gives new objects their IDs. If not, putting an object that is not there makes it.
    var generatesKey: Bool {
        ownKey.contains { column in self[column].map { $0.fill != .client } ?? false }
    }

    /// Fields that `CFG.PUT` takes.
    func fields(forNew isNew: Bool) -> [String] {
        columns.filter { column in
            guard column.fill != .generated, column.name != entry.tenant || isOfTenants else { return false }
            return !entry.key.contains(column.name) || isNew
        }.map(\.name)
    }

    /// Refuses fields that there are not.
    func check(_ fields: [WriteRequest.Field], isNew: Bool) throws(ReplyError) {
        let known = self.fields(forNew: isNew)
        for field in fields where !known.contains(field.name) {
            let name = WriteRequest.shown(field.name)
            guard let column = self[field.name] else {
                throw ReplyError("\(entry.type) has no field \(name); it has: \(known.joined(separator: ", "))")
            }
            if column.name == entry.tenant, !isOfTenants { throw ReplyError("\(name): the tenant says what it is") }
            if column.fill == .generated { throw ReplyError("\(name): the database says what it is") }
            throw ReplyError("\(name): is part of the ID, which cannot change")
        }
        if !isNew, generatesKey, fields.isEmpty { throw ReplyError("wrong number of arguments for 'cfg.put' command") }
    }
}
