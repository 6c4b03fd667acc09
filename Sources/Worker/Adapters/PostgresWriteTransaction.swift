internal import ConfigListener
internal import PostgresClient

/// A transaction on a connection that it has alone.
struct PostgresWriteTransaction: ProvisioningTransaction {
    let connection: PostgresConnection
    let database: PostgresProvisioning

    /// The server's own limits are shorter.
    private var timeout: Duration { database.patience.statement + .seconds(2) }

    func begin() async throws(DatabaseFailure) {
        _ = try await run(WriteStatement("BEGIN ISOLATION LEVEL READ COMMITTED"))
    }

    func run(_ statement: WriteStatement) async throws(DatabaseFailure) -> StatementRows {
        do throws(PostgresError) {
            let answer = try await connection.query(statement.sql, statement.parameters, timeout: timeout)
            return StatementRows(
                rows: answer.map { row in answer.columns.indices.map { row[$0] } }, affected: answer.affectedRows)
        } catch {
            throw await database.meaning(of: error, on: connection)
        }
    }

    func commit() async throws(DatabaseFailure) {
        let outcome: Result<Void, DatabaseFailure>
        do throws(PostgresError) {
            let answer = try await connection.query("COMMIT", timeout: timeout)
            // What the server answers where a statement had failed.
            outcome = answer.commandTag == "COMMIT" ? .success(()) : .failure(.lost)
        } catch {
            switch await database.meaning(of: error, on: connection) {
            case .refused(let refusal) where !refusal.isFault: outcome = .failure(.refused(refusal))
            case .refused, .lost, .away, .busy, .outcomeUnknown: outcome = .failure(.outcomeUnknown)
            }
        }
        await database.giveBack(connection)
        try outcome.get()
    }

    func rollBack() async {
        do throws(PostgresError) {
            try await connection.query("ROLLBACK", timeout: .seconds(1))
        } catch {
            await connection.close()
        }
        await database.giveBack(connection)
    }
}

extension DatabaseRefusal {
    /// The server is short of something, or failed itself: one that crashes so in a commit may find it in its log afterwards.
    fileprivate var isFault: Bool { ["53", "58", "XX"].contains(code.prefix(2)) }
}
