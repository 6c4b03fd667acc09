/// Names and strings as SQL writes them. Values belong into parameters; this is for commands that take none.
package enum PostgresText {
    /// `"name"`, quotes doubled.
    package static func identifier(_ name: String) -> String {
        "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    /// An array of texts, as a parameter.
    package static func array(_ elements: [String]) -> String {
        let quoted = elements.map { element in
            "\"" + element.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return "{" + quoted.joined(separator: ",") + "}"
    }

    /// `'text'`, quotes doubled; right under standard_conforming_strings, the default.
    package static func literal(_ text: String) -> String {
        "'" + text.replacing("'", with: "''") + "'"
    }
}
