/// A table of schema `provisioning`, from which its SQL is made: all of them share columns, identity and guards.
struct ObjectTable {
    let name: String
    /// Column definitions, which stand between `tenant_dbid` and `state`, and constraints.
    let body: [String]
    /// Columns that cannot change after creation.
    var immutable: [String] = []
    /// Links have no dbid, state and properties: these columns, which reference objects, are their key.
    var linkKey: [String]?
    /// Columns of foreign keys that are looked up from the other side.
    var indexed: [String] = []
    /// More statements about the table.
    var trailer = ""

    /// `user_properties` has two levels: sections, options.
    static let commonColumns = """
        state smallint NOT NULL DEFAULT 1 CHECK (state IN (1, 2, 3)),
            user_properties jsonb NOT NULL DEFAULT '{}' CHECK (
                jsonb_typeof(user_properties) = 'object'
                AND NOT jsonb_path_exists(user_properties, '$.* ? (@.type() != "object")')
                AND NOT jsonb_path_exists(
                    user_properties, 'strict $.*.* ? (@.type() == "object" || @.type() == "array")', '{}', true))
        """

    /// A name, unique among the tenant's objects of this type.
    static let tenantName = [
        "name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255)", "UNIQUE (tenant_dbid, name)",
    ]

    /// A column that references an object of the same tenant.
    static func reference(_ column: String, _ table: String, required: Bool = true) -> [String] {
        [
            "\(column) bigint\(required ? " NOT NULL" : "")",
            "FOREIGN KEY (tenant_dbid, \(column)) REFERENCES provisioning.\(table) (tenant_dbid, dbid)",
        ]
    }

    /// A table of links between an object and its members.
    static func members(_ name: String, of group: String, are member: String) -> ObjectTable {
        ObjectTable(
            name: name, body: reference("\(group)_dbid", group) + reference("\(member)_dbid", member),
            linkKey: ["\(group)_dbid", "\(member)_dbid"])
    }

    /// What PostgreSQL must know of a deleted or changed row, a unique index over tenant and key (capture.md).
    private var identity: [String] { ["tenant_dbid"] + (linkKey ?? ["dbid"]) }

    var sql: String {
        // Columns stand before constraints, for readers of \d.
        let isConstraint = { (line: String) in line.hasPrefix("UNIQUE") || line.hasPrefix("FOREIGN") }
        var lines: [String] = []
        if linkKey == nil { lines.append("dbid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY") }
        lines.append("tenant_dbid bigint NOT NULL REFERENCES provisioning.tenant")
        lines += body.filter { !isConstraint($0) }
        if let linkKey {
            lines.append("PRIMARY KEY (\(linkKey.joined(separator: ", ")))")
        } else {
            lines.append(Self.commonColumns)
        }
        lines.append("CONSTRAINT \(name)_identity UNIQUE (\(identity.joined(separator: ", ")))")
        lines += body.filter(isConstraint)
        var statements = [
            "CREATE TABLE provisioning.\(name) (\n    \(lines.joined(separator: ",\n    "))\n);",
            "ALTER TABLE provisioning.\(name) REPLICA IDENTITY USING INDEX \(name)_identity;",
        ]
        statements += (indexed + (linkKey.map { [$0[1]] } ?? [])).map { column in
            "CREATE INDEX \(name)_\(column) ON provisioning.\(name) (\(column));"
        }
        statements += immutable.map { column in
            """
            CREATE TRIGGER \(name)_\(column)_immutable BEFORE UPDATE ON provisioning.\(name)
                FOR EACH ROW WHEN (OLD.\(column) IS DISTINCT FROM NEW.\(column))
                EXECUTE FUNCTION provisioning.refuse_change('\(column)');
            """
        }
        if !trailer.isEmpty { statements.append(trailer) }
        return statements.joined(separator: "\n")
    }
}
