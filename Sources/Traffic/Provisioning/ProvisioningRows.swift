/// Rows of one table as SQL takes them: text, or nil for NULL; flags are `0` and `1`, arrays `{1,2}`.
package struct ProvisioningRows: Hashable, Sendable {
    package let table: ProvisioningTable
    /// Each has as many values as `table.columns`.
    package internal(set) var rows: [[String?]] = []

    package init(_ table: ProvisioningTable, rows: [[String?]] = []) {
        self.table = table
        self.rows = rows
    }

    /// Statements that insert all rows, some hundred each, and return these columns of them.
    package func inserts(returning returned: [String]) -> [(text: String, parameters: [String?])] {
        let columns = table.columns
        let overriding = table.hasDBID ? "OVERRIDING SYSTEM VALUE " : ""
        let returning = returned.isEmpty ? "" : " RETURNING \(returned.joined(separator: ", "))"
        return stride(from: 0, to: rows.count, by: 500).map { start in
            let some = rows[start..<min(start + 500, rows.count)]
            let values = some.indices.map { row in
                let first = (row - start) * columns.count
                return "(\(columns.indices.map { "$\(first + $0 + 1)" }.joined(separator: ", ")))"
            }
            return (
                "INSERT INTO \(table.sqlName) (\(columns.joined(separator: ", "))) \(overriding)VALUES "
                    + values.joined(separator: ", ") + returning, some.flatMap { $0 }
            )
        }
    }

    mutating func append(_ values: String?...) {
        precondition(values.count == table.columns.count, "\(values.count) values for \(table)")
        rows.append(values)
    }

    /// The value of a column in each row.
    func values(_ column: String) -> [String?] {
        guard let index = table.columns.firstIndex(of: column) else { return [] }
        return rows.map { $0[index] }
    }

    /// The values of a column that hold a dbid.
    func dbids(_ column: String) -> [Int64] {
        values(column).compactMap { $0.flatMap { Int64($0) } }
    }
}

/// An array of dbids as PostgreSQL reads and prints it.
enum DBIDArray {
    static func text(_ dbids: some Sequence<Int64>) -> String {
        "{\(dbids.map(String.init).joined(separator: ","))}"
    }

    static func dbids(_ text: String?) -> [Int64] {
        (text ?? "").dropFirst().dropLast().split(separator: ",").compactMap { Int64($0) }
    }
}
