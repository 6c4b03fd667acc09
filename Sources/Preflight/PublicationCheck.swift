internal import PostgresClient
internal import Provisioning
internal import RegionConfig

extension PostgresCheck {
    /// A table of the publication: the numbers of the columns that are listed, nil if it is published whole.
    private struct Published {
        let columns: Set<Int>?
        let isFiltered: Bool
    }

    private var quotedPublication: String { SQL.identifier(postgres.publication) }

    /// The publication must carry the tables of the catalog, all changes, and all columns but the omitted ones.
    func publication(
        _ connection: PostgresConnection, _ state: CatalogState
    ) async throws(PostgresError) -> [Finding] {
        let sql = """
            SELECT oid, puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate AS all_changes, pubviaroot
            FROM pg_publication WHERE pubname = $1
            """
        guard let row = try await connection.query(sql, [postgres.publication]).first else {
            let tables = targets(state)
            let create = "CREATE PUBLICATION \(quotedPublication) FOR TABLE \(tables) WITH (\(Self.options))"
            return [
                finding(
                    .error, "publication", "\(postgres.publication) does not exist",
                    tables.isEmpty ? migrateRemedy : .sql(create, note: "Or regionsync migrate, which does the same."))
            ]
        }
        var findings: [Finding] = []
        let hasAllChanges = try row.boolean("all_changes")
        let isByRoot = try row.boolean("pubviaroot")
        if !hasAllChanges || !isByRoot {
            findings.append(
                finding(
                    .error, "publication",
                    "\(postgres.publication) "
                        + (hasAllChanges ? "names partitions, not their table" : "lacks some kinds of change"),
                    .sql("ALTER PUBLICATION \(quotedPublication) SET (\(Self.options))")))
        }
        let publication = try row.string("oid")
        if try row.boolean("puballtables") {
            findings += allTables(state)
        } else {
            findings += coverage(state, try await published(publication, connection))
        }
        let count = region.catalog.tables.count
        return findings.isEmpty
            ? [finding(.ok, "publication", "\(postgres.publication) carries the catalog's \(count) tables")] : findings
    }

    private static let options =
        "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

    /// The catalog's tables as a publication lists them; those that exist.
    private func targets(_ state: CatalogState) -> String {
        region.catalog.tables.compactMap { entry -> String? in
            guard let table = state[entry.table] else { return nil }
            guard !entry.omit.isEmpty else { return entry.quotedTable }
            let columns = table.published(entry).map { SQL.identifier($0.name) }.joined(separator: ", ")
            return "\(entry.quotedTable) (\(columns))"
        }.joined(separator: ", ")
    }

    /// What is published by name, or with its schema. Read as JSON, for columns came with PostgreSQL 15.
    private func published(
        _ publication: String, _ connection: PostgresConnection
    ) async throws(PostgresError) -> [TableName: Published] {
        let sql = """
            SELECT nspname, relname, to_jsonb(pg_publication_rel) ->> 'prattrs' AS columns,
                to_jsonb(pg_publication_rel) ->> 'prqual' IS NOT NULL AS filtered
            FROM pg_publication_rel JOIN pg_class ON pg_class.oid = prrelid
            JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE prpubid = $1::oid
            """
        var tables: [TableName: Published] = [:]
        for row in try await connection.query(sql, [publication]) {
            let numbers = try row.optionalString("columns")?.split { !$0.isNumber }
            let columns = numbers.map { Set($0.compactMap { Int($0) }) }
            let name = TableName(schema: try row.string("nspname"), name: try row.string("relname"))
            tables[name] = Published(columns: columns, isFiltered: try row.boolean("filtered"))
        }
        guard await connection.serverVersion >= 150_000 else { return tables }
        let schemas = """
            SELECT nspname, relname FROM pg_publication_namespace
            JOIN pg_class ON relnamespace = pnnspid AND relkind IN ('r', 'p') AND NOT relispartition
            JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pnpubid = $1::oid
            """
        for row in try await connection.query(schemas, [publication]) {
            let name = TableName(schema: try row.string("nspname"), name: try row.string("relname"))
            tables[name] = Published(columns: nil, isFiltered: false)
        }
        return tables
    }

    private func coverage(_ state: CatalogState, _ published: [TableName: Published]) -> [Finding] {
        var problems: [String] = []
        for entry in region.catalog.tables {
            guard let table = state[entry.table] else { continue }
            let problem = fault(entry, table, published[entry.table])
            if let problem { problems.append("\(entry.table) \(problem)") }
        }
        let mend = "ALTER PUBLICATION \(quotedPublication) SET TABLE \(targets(state))"
        if !problems.isEmpty {
            return [finding(.error, "publication", problems.joined(separator: "; "), .sql(mend))]
        }
        let surplus = published.keys.filter { region.catalog[schema: $0.schema, table: $0.name] == nil }
        guard !surplus.isEmpty else { return [] }
        let names = surplus.map(\.description).sorted().joined(separator: ", ")
        return [finding(.warning, "publication", "carries tables the catalog does not name: \(names)", .sql(mend))]
    }

    /// What is wrong with a table's place in the publication, in words.
    private func fault(_ entry: CatalogTable, _ table: CatalogState.Relation, _ published: Published?) -> String? {
        guard let published else { return "is not published" }
        if published.isFiltered { return "is published with a row filter" }
        let wanted = Set(table.published(entry).map(\.number))
        guard let listed = published.columns else {
            return entry.omit.isEmpty ? nil : "publishes \(entry.omit.joined(separator: ", ")), which must not leave"
        }
        guard !entry.omit.isEmpty else { return "is published by a column list: new columns would be left out" }
        guard listed != wanted else { return nil }
        let names = { (numbers: Set<Int>) in
            table.columns.filter { numbers.contains($0.number) }.map(\.name).joined(separator: ", ")
        }
        let hidden = names(listed.subtracting(wanted))
        return hidden.isEmpty
            ? "lacks \(names(wanted.subtracting(listed)))" : "publishes \(hidden), which must not leave"
    }

    private func allTables(_ state: CatalogState) -> [Finding] {
        let name = postgres.publication
        let mend = Remedy.sql(
            "DROP PUBLICATION \(quotedPublication)",
            "CREATE PUBLICATION \(quotedPublication) FOR TABLE \(targets(state)) WITH (\(Self.options))",
            note: "Not while capture runs.")
        let omitting = region.catalog.tables.filter { !$0.omit.isEmpty }.map(\.table.description)
        guard omitting.isEmpty else {
            let tables = omitting.joined(separator: ", ")
            return [
                finding(.error, "publication", "\(name) is FOR ALL TABLES, omitted columns of \(tables) included", mend)
            ]
        }
        return [finding(.warning, "publication", "\(name) is FOR ALL TABLES, not those of the catalog alone", mend)]
    }
}
