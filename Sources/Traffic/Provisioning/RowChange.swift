/// One SQL statement of a planned transaction.
package enum RowChange: Hashable, Sendable {
    /// `values` as in `table.columns`.
    case insert(ProvisioningTable, values: [String?])
    /// One row, by the key it has before; setting a key column moves it.
    case update(ProvisioningTable, key: [String], set: [Assignment])
    /// Many rows of a table that has dbids.
    case updateMany(ProvisioningTable, dbids: [Int64], set: [Assignment])
    case delete(ProvisioningTable, key: [String])

    package struct Assignment: Hashable, Sendable {
        package let column: String
        package let value: String?

        package init(_ column: String, _ value: String?) {
            self.column = column
            self.value = value
        }
    }

    package var table: ProvisioningTable {
        switch self {
        case .insert(let table, _), .update(let table, _, _), .updateMany(let table, _, _), .delete(let table, _): table
        }
    }

    /// The statement and its parameters `$1` … as text. It returns these columns of the rows it touched, as they are
    /// after it, which is what `TouchedObjects` wants; a role may not be allowed to see them all.
    package func sql(returning returned: [String]) -> (text: String, parameters: [String?]) {
        let returning = returned.isEmpty ? "" : " RETURNING \(returned.joined(separator: ", "))"
        switch self {
        case .insert(let table, let values):
            let columns = table.columns.joined(separator: ", ")
            let places = (1...values.count).map { "$\($0)" }.joined(separator: ", ")
            let overriding = table.hasDBID ? "OVERRIDING SYSTEM VALUE " : ""
            return ("INSERT INTO \(table.sqlName) (\(columns)) \(overriding)VALUES (\(places))\(returning)", values)
        case .update(let table, let key, let set):
            let condition = RowChange.condition(table, from: set.count + 1)
            return (
                "UPDATE \(table.sqlName) SET \(RowChange.list(set)) WHERE \(condition)\(returning)",
                set.map(\.value) + key.map { $0 }
            )
        case .updateMany(let table, let dbids, let set):
            return (
                "UPDATE \(table.sqlName) SET \(RowChange.list(set)) WHERE dbid = ANY($\(set.count + 1))\(returning)",
                set.map(\.value) + [DBIDArray.text(dbids)]
            )
        case .delete(let table, let key):
            return (
                "DELETE FROM \(table.sqlName) WHERE \(RowChange.condition(table, from: 1))\(returning)", key.map { $0 }
            )
        }
    }

    private static func list(_ set: [Assignment]) -> String {
        set.enumerated().map { "\($1.column) = $\($0 + 1)" }.joined(separator: ", ")
    }

    private static func condition(_ table: ProvisioningTable, from number: Int) -> String {
        table.keyColumns.enumerated().map { "\($1) = $\(number + $0)" }.joined(separator: " AND ")
    }
}

/// A transaction to run: its statements in order, and how it is to end.
package struct PlannedTransaction: Hashable, Sendable {
    /// From 1, without gaps.
    package let number: Int64
    package let changes: [RowChange]
    /// To be rolled back: nothing of it may ever be seen anywhere.
    package let isRolledBack: Bool
}
