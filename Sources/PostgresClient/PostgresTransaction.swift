/// How a transaction begins.
package struct TransactionOptions: Sendable {
    package enum Isolation: String, Sendable {
        case readCommitted = "READ COMMITTED"
        case repeatableRead = "REPEATABLE READ"
        case serializable = "SERIALIZABLE"
    }

    package var isolation = Isolation.readCommitted
    package var isReadOnly = false
    /// A snapshot that another session exports, to be taken over before the first query (SET TRANSACTION SNAPSHOT).
    package var snapshot: String?

    package init(isolation: Isolation = .readCommitted, isReadOnly: Bool = false) {
        self.isolation = isolation
        self.isReadOnly = isReadOnly
    }

    /// Reads what `snapshot` shows; fails with 22023 if its exporter has gone on.
    package static func reading(snapshot: String) -> TransactionOptions {
        var options = TransactionOptions(isolation: .repeatableRead, isReadOnly: true)
        options.snapshot = snapshot
        return options
    }
}

/// The way to a connection for the transaction that holds it.
package struct PostgresTransaction: Sendable {
    fileprivate let connection: PostgresConnection

    /// As `PostgresConnection.query`.
    @discardableResult
    package func query(
        _ sql: String, _ parameters: [String?] = [], timeout: Duration? = .seconds(30)
    ) async throws(PostgresError) -> PostgresRows {
        try await connection.perform(sql, parameters, timeout: timeout)
    }

    /// As `PostgresConnection.withCopyOut`.
    package func withCopyOut<R>(
        _ sql: String, _ body: (PostgresCopyReader) async throws -> R
    ) async throws -> R {
        try await connection.copyOut(sql, body)
    }
}

extension PostgresConnection {
    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws. Other commands on this
    /// connection wait until then, so `body` uses the transaction it is given and not the connection.
    @discardableResult
    package nonisolated func withTransaction<R>(
        _ options: TransactionOptions = TransactionOptions(), _ body: (PostgresTransaction) async throws -> R
    ) async throws -> R {
        await takeTurn()
        do {
            try await begin(options)
            let result = try await body(PostgresTransaction(connection: self))
            try await commit()
            await passTurn()
            return result
        } catch {
            await rollBack()
            await passTurn()
            throw error
        }
    }

    private func begin(_ options: TransactionOptions) async throws(PostgresError) {
        var sql = "BEGIN ISOLATION LEVEL \(options.isolation.rawValue)" + (options.isReadOnly ? " READ ONLY" : "")
        if let snapshot = options.snapshot { sql += "; SET TRANSACTION SNAPSHOT \(PostgresText.literal(snapshot))" }
        try await perform(sql, timeout: .seconds(30))
    }

    /// The server answers COMMIT of a transaction in which a statement failed with ROLLBACK, and no error.
    private func commit() async throws(PostgresError) {
        let tag = try await perform("COMMIT", timeout: .seconds(30)).commandTag
        guard tag == "COMMIT" else {
            throw .server(
                sqlState: "25P02", message: "a statement failed: the transaction was rolled back", detail: nil,
                hint: nil)
        }
    }

    /// A transaction that cannot be rolled back ends with its connection.
    private func rollBack() async {
        guard isOpen else { return }
        do {
            try await perform("ROLLBACK", timeout: .seconds(5), ignoresCancellation: true)
        } catch {
            shutDown(error)
        }
    }
}
