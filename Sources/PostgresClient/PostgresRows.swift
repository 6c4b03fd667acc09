/// The answer to a query: rows of text values, in one arena.
package struct PostgresRows: Sendable {
    package let columns: [String]
    package let count: Int
    /// What the server says it did: `COMMIT`, `ROLLBACK`, `INSERT 0 1`.
    package let commandTag: String
    /// Rows that INSERT, UPDATE, DELETE, SELECT or COPY touched; 0 for other commands.
    package let affectedRows: Int
    private let bytes: [UInt8]
    /// Where each value ends in `bytes`, row by row; the complement of the offset if the value is NULL.
    private let ends: [Int]

    init(columns: [String], count: Int, commandTag: String, affectedRows: Int, bytes: [UInt8], ends: [Int]) {
        self.commandTag = commandTag
        self.columns = columns
        self.count = count
        self.affectedRows = affectedRows
        self.bytes = bytes
        self.ends = ends
    }

    fileprivate func value(_ row: Int, _ column: Int) -> String? {
        let index = row * columns.count + column
        let end = ends[index]
        guard end >= 0 else { return nil }
        let previous = index == 0 ? 0 : ends[index - 1]
        return String(decoding: bytes[(previous >= 0 ? previous : ~previous)..<end], as: UTF8.self)
    }
}

extension PostgresRows: RandomAccessCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int { count }

    package subscript(position: Int) -> PostgresRow {
        precondition(indices.contains(position), "row \(position) of \(count)")
        return PostgresRow(rows: self, position: position)
    }
}

/// One row of an answer. The getters throw `.protocolViolation` if the column is missing, NULL or of another form.
package struct PostgresRow: Sendable {
    fileprivate let rows: PostgresRows
    fileprivate let position: Int

    /// The value of a column by its place, nil for NULL.
    package subscript(column: Int) -> String? {
        precondition(rows.columns.indices.contains(column), "column \(column) of \(rows.columns.count)")
        return rows.value(position, column)
    }

    /// The value of a column by its name, nil for NULL.
    package func optionalString(_ column: String) throws(PostgresError) -> String? {
        guard let index = rows.columns.firstIndex(of: column) else {
            throw .protocolViolation("the result has no column \(column)")
        }
        return rows.value(position, index)
    }

    package func string(_ column: String) throws(PostgresError) -> String {
        guard let value = try optionalString(column) else { throw .protocolViolation("column \(column) is NULL") }
        return value
    }

    package func integer<T: FixedWidthInteger>(_ column: String) throws(PostgresError) -> T {
        guard let value = T(try string(column)) else { throw .protocolViolation("column \(column) is no integer") }
        return value
    }

    package func boolean(_ column: String) throws(PostgresError) -> Bool {
        switch try string(column) {
        case "t": true
        case "f": false
        default: throw .protocolViolation("column \(column) is no boolean")
        }
    }
}
