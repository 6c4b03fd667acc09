/// PostgreSQL as writes need it: transactions on a bounded number of connections, of a role that may change objects.
package protocol ProvisioningDatabase: Sendable {
    /// Begins a transaction (read committed). Waits a moment for a free connection, and not at all for a PostgreSQL that is
    /// known to be away.
    func begin() async throws(DatabaseFailure) -> any ProvisioningTransaction
}

/// A transaction. It ends with `commit`, however that comes out, or with `rollBack`.
package protocol ProvisioningTransaction: Sendable {
    /// After a failure nothing but `rollBack` has an effect.
    func run(_ statement: WriteStatement) async throws(DatabaseFailure) -> StatementRows
    func commit() async throws(DatabaseFailure)
    func rollBack() async
}

/// One statement and its parameters as text; nil is NULL.
package struct WriteStatement: Hashable, Sendable {
    package let sql: String
    package let parameters: [String?]

    package init(_ sql: String, _ parameters: [String?] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}

/// What a statement answered.
package struct StatementRows: Hashable, Sendable {
    /// Text of each column; nil is NULL.
    package let rows: [[String?]]
    /// Rows that it inserted, changed or deleted.
    package let affected: Int

    package init(rows: [[String?]] = [], affected: Int = 0) {
        self.rows = rows
        self.affected = affected
    }

    /// The first column of the first row.
    var first: String? { rows.first?.first ?? nil }
}

/// Why a transaction did not come about.
package enum DatabaseFailure: Error, Hashable, Sendable {
    /// The server refused a statement, or the commit. Nothing is written.
    case refused(DatabaseRefusal)
    /// The connection was lost before the commit. Nothing is written, and it may be tried again.
    case lost
    /// PostgreSQL is away, for a reason in words. Nothing is written.
    case away(String)
    /// All connections were busy for too long. Nothing is written.
    case busy
    /// The connection was lost during the commit: it may or may not be written.
    case outcomeUnknown
}

/// An error of the server, without the values that it quotes.
package struct DatabaseRefusal: Error, Hashable, Sendable {
    /// SQLSTATE.
    package let code: String
    package let message: String
    /// Where it is about a table.
    package let schema: String?
    package let table: String?
    package let column: String?
    package let constraint: String?

    package init(
        code: String, message: String = "", schema: String? = nil, table: String? = nil, column: String? = nil,
        constraint: String? = nil
    ) {
        self.code = code
        self.message = message
        self.schema = schema
        self.table = table
        self.column = column
        self.constraint = constraint
    }
}

/// Where the region file names no role that writes.
package struct NoWriter: ProvisioningDatabase {
    package init() {}

    package func begin() async throws(DatabaseFailure) -> any ProvisioningTransaction {
        throw .away("the region file lacks postgres.writer")
    }
}
