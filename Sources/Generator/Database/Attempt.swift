import NIOCore
import PostgresClient
import Traffic

/// One planned transaction, run once.
struct Attempt {
    enum Outcome {
        /// COMMIT was acknowledged then.
        case committed(Effect, at: NIODeadline)
        /// As planned.
        case rolledBack
        /// The server refused it; nothing happened.
        case refused(PostgresError)
        /// The connection broke before COMMIT; nothing happened.
        case lost(PostgresError)
        /// No answer came to COMMIT.
        case unknown(Effect, PostgresError)
    }

    /// What a transaction does.
    struct Effect: Sendable {
        /// PostgreSQL's number of the transaction, as text: 64 bits.
        var xid = ""
        var touched = TouchedObjects()
        /// Every row it returned.
        var rows: [CommittedRow] = []

        /// The low half, which is what replication shows.
        var shortXID: UInt32 { UInt32(truncatingIfNeeded: UInt64(xid) ?? 0) }
    }

    private struct RollBack: Error {}

    let planned: PlannedTransaction
    let database: GeneratedDatabase

    func run() async -> Outcome {
        var effect = Effect()
        var commits = false
        do {
            try await database.connection.withTransaction { transaction in
                for change in planned.changes {
                    let (text, parameters) = change.sql(returning: database.columns[change.table])
                    let rows = try await transaction.query(text, parameters, timeout: .seconds(600))
                    effect.ran(change, rows)
                }
                effect.xid = try await transaction.query("SELECT pg_current_xact_id()::text AS xid")[0].string("xid")
                if planned.isRolledBack { throw RollBack() }
                commits = true
            }
            return .committed(effect, at: .now())
        } catch is RollBack {
            return .rolledBack
        } catch let error as PostgresError {
            switch error {
            // A server that shuts down may have committed before it said so.
            case .server(let state, _, _, _) where commits && ["57", "08", "40"].contains(state.prefix(2)):
                return .unknown(effect, error)
            case .server: return await database.connection.isOpen ? .refused(error) : .lost(error)
            default: return commits ? .unknown(effect, error) : .lost(error)
            }
        } catch {
            return .lost(.protocolViolation("\(error)"))
        }
    }

    /// Whether a transaction happened that no answer came for.
    static func happened(_ xid: String, in database: GeneratedDatabase) async throws(PostgresError) -> Bool {
        while true {
            do throws(PostgresError) {
                let status = try await database.connection.query("SELECT pg_xact_status($1::xid8) AS status", [xid])[0]
                    .optionalString("status")
                if status != "in progress" { return status == "committed" }
            } catch {
                // The number lies in the future: the crash took even its assignment.
                guard error.sqlState == "22023" else { throw error }
                return false
            }
            do {
                try await Task.sleep(for: .milliseconds(100))
            } catch {
                throw .cancelled
            }
        }
    }
}

extension Attempt.Effect {
    fileprivate mutating func ran(_ change: RowChange, _ answer: PostgresRows) {
        let table = change.table
        let values = answer.values
        touched.ran(change, columns: answer.columns, rows: values)
        var (changed, isDeleted): ([String], Bool) = (answer.columns, false)
        switch change {
        case .insert: break
        case .update(_, _, let set), .updateMany(_, _, let set): changed = set.map(\.column)
        case .delete: isDeleted = true
        }
        let key = table.keyColumns.compactMap { answer.columns.firstIndex(of: $0) }
        guard let tenant = answer.columns.firstIndex(of: table.tenantColumn) else { return }
        for row in values {
            let name = key.map { row[$0] ?? "" }.joined(separator: ",")
            rows.append(
                CommittedRow(
                    key: "cfg:{\(row[tenant] ?? "")}:\(table.type):\(name)", columns: answer.columns,
                    row: isDeleted ? nil : row, changed: changed))
        }
    }
}
