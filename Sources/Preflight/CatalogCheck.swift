internal import PostgresClient
internal import Provisioning
internal import RegionConfig

extension PostgresCheck {
    /// Tables, columns, rights, replica identities, and the publication over them.
    func catalog(_ connection: PostgresConnection) async throws(PostgresError) -> [Finding] {
        let state = try await CatalogState.read(region.catalog, through: connection)
        var findings = missing(state)
        var identities: [Finding] = []
        for entry in region.catalog.tables {
            guard let table = state[entry.table] else { continue }
            if let finding = kind(table) {
                findings.append(finding)
                continue
            }
            if let finding = columns(entry, table) {
                findings.append(finding)
                continue
            }
            findings += unfit(entry, table)
            if let finding = rowSecurity(table) { findings.append(finding) }
            for relation in state.relations where relation.root == entry.table && relation.holdsRows {
                if let finding = identity(entry, relation) { identities.append(finding) }
            }
        }
        findings += [rights(state)].compactMap(\.self) + identities
        if !findings.contains(where: { $0.severity != .ok }) {
            let count = region.catalog.tables.count
            findings.append(
                finding(
                    .ok, "catalog",
                    "\(count) table\(count == 1 ? "" : "s"), readable, rows told apart by tenant and key"))
        }
        return findings + (try await publication(connection, state))
    }

    // MARK: Shape

    /// Tables that are not there: those of the product in one finding, since one command makes them.
    private func missing(_ state: CatalogState) -> [Finding] {
        let absent = region.catalog.tables.map(\.table).filter { state[$0] == nil }
        let ours = absent.filter { $0.schema == "provisioning" }
        var findings = absent.filter { $0.schema != "provisioning" }.map { table in
            finding(
                .error, "catalog", "table \(table) does not exist",
                .words("Correct the catalog of \(file), spelled as in pg_class, or create the table."))
        }
        if let first = ours.first {
            let others = ours.count == 1 ? "table \(first) does" : "tables \(first) and \(ours.count - 1) more do"
            findings.append(finding(.error, "catalog", others + " not exist", migrateRemedy))
        }
        return findings
    }

    private func kind(_ table: CatalogState.Relation) -> Finding? {
        guard ["r", "p"].contains(table.kind) else {
            let kinds = ["v": "a view", "m": "a materialized view", "f": "a foreign table"]
            return finding(
                .error, "catalog", "\(table.name) is \(kinds[table.kind] ?? "no table"); expected a table",
                .words("Only tables are replicated: name the tables behind it in the catalog of \(file)."))
        }
        guard table.persistence == "p" else {
            return finding(
                .error, "catalog", "\(table.name) is unlogged, so its changes are not replicated",
                .sql("ALTER TABLE \(Self.quoted(table.name)) SET LOGGED"))
        }
        return nil
    }

    private func columns(_ entry: CatalogTable, _ table: CatalogState.Relation) -> Finding? {
        let absent = entry.columnsMissing(among: table.columns.map(\.name))
        guard !absent.isEmpty else { return nil }
        return finding(
            .error, "catalog",
            "\(entry.table) has no column \(absent.joined(separator: ", ")); "
                + "it has \(table.columns.map(\.name).joined(separator: ", "))",
            .words("Correct the table's entry in the catalog of \(file)."))
    }

    /// Columns that cannot be projected, or not in full.
    private func unfit(_ entry: CatalogTable, _ table: CatalogState.Relation) -> [Finding] {
        var findings: [Finding] = []
        let target = Self.quoted(table.name)
        let reserved = table.published(entry).map(\.name).filter { ["_v", "_d"].contains($0) }
        if !reserved.isEmpty {
            findings.append(
                finding(
                    .error, "catalog",
                    "\(entry.table) has a column \(reserved.joined(separator: ", ")), the name of a field of ours",
                    .sql(
                        reserved.map { name in
                            let other = SQL.identifier("\(name.dropFirst())_column")
                            return "ALTER TABLE \(target) RENAME COLUMN \(SQL.identifier(name)) TO \(other)"
                        },
                        note: "Or leave it in PostgreSQL: omit: [\(reserved.joined(separator: ", "))] at the table in "
                            + "the catalog of \(file).")))
        }
        if let tenant = table.columns.first(where: { $0.name == entry.tenant }), !tenant.isInteger {
            let column = SQL.identifier(tenant.name)
            findings.append(
                finding(
                    .error, "catalog", "\(entry.table): the tenant, \(tenant.name), is of no integer type",
                    .sql(
                        "ALTER TABLE \(target) ALTER COLUMN \(column) TYPE bigint USING \(column)::bigint",
                        note: "Or name another column as tenant in the catalog of \(file).")))
        }
        if let first = table.columns.first(where: { $0.name == entry.key.first }), first.isText {
            findings.append(
                finding(
                    .ok, "catalog",
                    "\(entry.table): keys are texts; an object whose \(first.name) begins with by: is not projected"))
        }
        return findings
    }

    // MARK: Rights

    private func rights(_ state: CatalogState) -> Finding? {
        var tables: [String] = []
        var grants: [String] = []
        for entry in region.catalog.tables {
            guard let table = state[entry.table] else { continue }
            let published = table.published(entry)
            if table.isSchemaAllowed, table.isLocationAllowed, published.allSatisfy(\.isAllowed) { continue }
            tables.append("\(entry.table)")
            let usage = "GRANT USAGE ON SCHEMA \(SQL.identifier(entry.table.schema)) TO \(quotedUser)"
            if !table.isSchemaAllowed, !grants.contains(usage) { grants.append(usage) }
            let list = (published.map { SQL.identifier($0.name) } + ["ctid"]).joined(separator: ", ")
            let columns = entry.omit.isEmpty ? "" : " (\(list))"
            grants.append("GRANT SELECT\(columns) ON \(entry.quotedTable) TO \(quotedUser)")
        }
        guard !tables.isEmpty else { return nil }
        return finding(
            .error, "catalog", "\(postgres.user) may not read \(tables.joined(separator: ", "))", .sql(grants))
    }

    /// The stream ignores policies, a snapshot does not: copies would lack the rows that are hidden.
    private func rowSecurity(_ table: CatalogState.Relation) -> Finding? {
        guard table.isRowSecurityActive else { return nil }
        return finding(
            .error, "catalog", "row security hides rows of \(table.name) from \(postgres.user)",
            .sql("ALTER ROLE \(quotedUser) BYPASSRLS"))
    }

    // MARK: Replica identity

    /// A deleted or changed row must be known by tenant and key, which must be unique (capture.md).
    private func identity(_ entry: CatalogTable, _ table: CatalogState.Relation) -> Finding? {
        guard let problem = identityProblem(entry, table) else { return nil }
        return finding(.error, "replica identity", "\(table.name): \(problem)", .sql(identitySQL(entry, table)))
    }

    private func identityProblem(_ entry: CatalogTable, _ table: CatalogState.Relation) -> String? {
        if let columns = table.identityColumns {
            let lacking = entry.identity.filter { !columns.contains($0) }
            guard lacking.isEmpty else {
                return "a deleted row's \(lacking.joined(separator: ", ")) would not be known"
            }
            let hidden = columns.filter { entry.omit.contains($0) }
            guard hidden.isEmpty else { return "contains the omitted \(hidden.joined(separator: ", "))" }
        } else if !entry.omit.isEmpty {
            let hidden = entry.omit.joined(separator: ", ")
            return "FULL and omits \(hidden): PostgreSQL would refuse every UPDATE and DELETE"
        }
        let isUnique = table.indexes.contains {
            $0.isUnique && $0.isPlain && $0.isValid && Set(entry.identity).isSuperset(of: $0.columns)
        }
        return isUnique ? nil : "nothing keeps (\(entry.identity.joined(separator: ", "))) unique"
    }

    private func identitySQL(_ entry: CatalogTable, _ table: CatalogState.Relation) -> [String] {
        let target = CatalogTable(table: table.name, type: entry.type, key: entry.key, tenant: entry.tenant)
        let nullable = table.columns.filter { entry.identity.contains($0.name) && !$0.isNotNull }
        var statements = nullable.map {
            "ALTER TABLE \(target.quotedTable) ALTER COLUMN \(SQL.identifier($0.name)) SET NOT NULL"
        }
        let required = Set(entry.identity)
        let fitting = table.indexes.first {
            $0.isUnique && $0.isPlain && $0.isValid && Set($0.columns) == required
        }
        if let fitting {
            let index = SQL.identifier(fitting.name)
            return statements + ["ALTER TABLE \(target.quotedTable) REPLICA IDENTITY USING INDEX \(index)"]
        }
        // One that was given up half-built stands in the way.
        if let remains = table.indexes.first(where: { $0.name == target.replicaIdentityIndex }) {
            let name = "\(SQL.identifier(table.name.schema)).\(SQL.identifier(remains.name))"
            statements.append("DROP INDEX CONCURRENTLY \(name)")
        }
        return statements + target.replicaIdentitySQL
    }

    static func quoted(_ table: TableName) -> String {
        "\(SQL.identifier(table.schema)).\(SQL.identifier(table.name))"
    }
}

extension CatalogTable {
    /// The columns that the catalog names and that are not among `present`, each once.
    func columnsMissing(among present: [String]) -> [String] {
        var missing: [String] = []
        for name in [tenant] + key + indexes.map(\.field) + omit
        where !present.contains(name) && !missing.contains(name) {
            missing.append(name)
        }
        return missing
    }
}
