internal import Provisioning
internal import RegionConfig

/// The statements that look at and change one tenant's objects of one type. Each is bound to the tenant: there are no other
/// tenant's objects for it. Names come from the catalog and from PostgreSQL, values are parameters.
struct RowStatements {
    let table: WrittenTable
    let tenant: Int64

    private var entry: CatalogTable { table.entry }

    /// The texts of an ID's columns; nil for what cannot be an ID of the tenant's objects.
    func key(of id: String) -> [String]? {
        guard let key = ObjectKey.columns(of: id, count: entry.key.count) else { return nil }
        for (name, text) in zip(entry.key, key) where name == entry.tenant && Int64(text) != tenant { return nil }
        return key
    }

    /// ID and digest of an object, which nobody else changes until the transaction is over; no row where it is not there.
    /// Who is to delete it also keeps others from referring to it.
    func lock(_ key: [String], toDelete: Bool) -> WriteStatement {
        var parameters: [String?] = []
        let condition = condition(key, &parameters)
        let columns = table.columns.filter { $0.isPublished && !entry.omit.contains($0.name) }.map(\.name)
        return WriteStatement(
            """
            SELECT \(ObjectKey.sql(entry.key)), (\(ObjectDigest.sql(key: entry.key, columns: columns)))::text
            FROM \(entry.quotedTable) WHERE \(condition) FOR \(toDelete ? "UPDATE" : "NO KEY UPDATE")
            """, parameters)
    }

    /// Makes an object, and answers its ID. Without `key` the server, or a field, says what it is.
    func insert(_ key: [String]?, _ fields: [WriteRequest.Field]) -> WriteStatement {
        var parameters: [String?] = []
        var columns: [(name: String, value: String)] = []
        if !table.isOfTenants { columns.append((entry.tenant, Self.bind("\(tenant)", &parameters))) }
        for (name, text) in zip(entry.key, key ?? []) where name != entry.tenant || table.isOfTenants {
            columns.append((name, Self.bind(text, &parameters)))
        }
        for field in fields { columns.append((field.name, bind(field, &parameters))) }
        let names = columns.map { SQL.identifier($0.name) }.joined(separator: ", ")
        let values = columns.map(\.value).joined(separator: ", ")
        let row = columns.isEmpty ? "DEFAULT VALUES" : "(\(names)) VALUES (\(values))"
        return WriteStatement(
            "INSERT INTO \(entry.quotedTable) \(row) RETURNING \(ObjectKey.sql(entry.key))", parameters)
    }

    /// Changes these fields, of which there is at least one.
    func update(_ key: [String], _ fields: [WriteRequest.Field]) -> WriteStatement {
        var parameters: [String?] = []
        let changes = fields.map { "\(SQL.identifier($0.name)) = \(bind($0, &parameters))" }
        let condition = condition(key, &parameters)
        return WriteStatement(
            "UPDATE \(entry.quotedTable) SET \(changes.joined(separator: ", ")) WHERE \(condition)", parameters)
    }

    func delete(_ key: [String]) -> WriteStatement {
        var parameters: [String?] = []
        let condition = condition(key, &parameters)
        return WriteStatement("DELETE FROM \(entry.quotedTable) WHERE \(condition)", parameters)
    }

    /// Fails where the value is none of the field's type. Nil where that needs no asking.
    func probe(_ field: WriteRequest.Field) -> WriteStatement? {
        guard field.value != nil, let type = table[field.name]?.type else { return nil }
        var parameters: [String?] = []
        let value = bind(field, &parameters)
        return WriteStatement("SELECT CAST(\(value) AS \(type))", parameters)
    }

    private func condition(_ key: [String], _ parameters: inout [String?]) -> String {
        var parts = ["\(SQL.identifier(entry.tenant)) = \(Self.bind("\(tenant)", &parameters))"]
        for (name, text) in zip(entry.key, key) where name != entry.tenant {
            parts.append("\(SQL.identifier(name)) = \(Self.bind(text, &parameters))")
        }
        return parts.joined(separator: " AND ")
    }

    private static func bind(_ value: String?, _ parameters: inout [String?]) -> String {
        parameters.append(value)
        return "$\(parameters.count)"
    }

    /// Arrays may be written as JSON, too.
    private func bind(_ field: WriteRequest.Field, _ parameters: inout [String?]) -> String {
        let parameter = Self.bind(field.value, &parameters)
        guard let column = table[field.name], column.isArray, field.value?.hasPrefix("[") ?? false else {
            return parameter
        }
        return "CAST(ARRAY(SELECT jsonb_array_elements_text(CAST(\(parameter) AS jsonb))) AS \(column.type))"
    }
}

extension WrittenSchema {
    /// Answers a row where this is the tenant's name. Nil where the catalog has no names of tenants.
    func naming(_ name: String, of tenant: Int64) -> WriteStatement? {
        guard let table = tables["tenant"], table.isOfTenants, table["name"] != nil else { return nil }
        let key = SQL.identifier(table.entry.tenant)
        return WriteStatement(
            "SELECT \(key) FROM \(table.entry.quotedTable) WHERE \(key) = $1 AND name = $2", ["\(tenant)", name])
    }
}
