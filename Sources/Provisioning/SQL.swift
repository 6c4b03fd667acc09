/// Writing names and texts into SQL.
package enum SQL {
    /// `name` as a quoted identifier.
    package static func identifier(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// `text` as a literal. Needs `standard_conforming_strings`, as every PostgreSQL since 9.1 has.
    package static func literal(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }

    /// The column's text as logical replication sends it. A cast to text would print `true` and strip a `char(n)`;
    /// `concat` calls the type's output function, as pgoutput does.
    static func text(_ column: String) -> String {
        "concat(\(identifier(column)))"
    }
}
