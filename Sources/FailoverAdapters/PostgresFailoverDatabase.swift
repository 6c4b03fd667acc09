internal import Connections
internal import Failover
internal import PostgresClient

/// The standby as a failover sees it: a connection a question, so that a promotion or a restart in between harms nothing.
struct PostgresFailoverDatabase: FailoverDatabase {
    private let options: PostgresOptions

    init(_ options: PostgresOptions) {
        // IDENTIFY_SYSTEM shows the timeline as it is; pg_control_checkpoint() the one before a promotion.
        var options = options
        options.isReplication = true
        self.options = options
    }

    func look() async throws(FailoverFailure) -> FoundDatabase {
        try await ask { connection throws(PostgresError) in
            // In this order: a server that is promoted in between must not show the timeline of before.
            let rows = try await connection.query(
                """
                SELECT pg_is_in_recovery() AS recovering, pg_snapshot_xmax(pg_current_snapshot())::text AS next,
                    current_setting('wal_level') AS wal_level
                """)
            guard let row = rows.first else { throw .protocolViolation("a SELECT without a row") }
            let system = try await connection.identifySystem()
            return FoundDatabase(
                isInRecovery: try row.boolean("recovering"), systemID: system.systemID, timeline: system.timeline,
                history: try await HistoryRow.all(through: connection).map {
                    FoundDatabase.History(
                        number: $0.number, systemID: $0.systemID, timeline: $0.timeline,
                        captureRegion: $0.captureRegion)
                }, nextTransaction: try row.integer("next"))
        }
    }

    func add(_ row: FoundDatabase.History, after newest: UInt64) async throws(FailoverFailure) -> Bool {
        let row = HistoryRow(
            number: row.number, systemID: row.systemID, timeline: row.timeline, captureRegion: row.captureRegion)
        return try await ask { connection throws(PostgresError) in
            try await row.insert(after: newest, through: connection)
        }
    }

    private func ask<Answer: Sendable>(
        _ body: (PostgresConnection) async throws(PostgresError) -> Answer
    ) async throws(FailoverFailure) -> Answer {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(options)
            do throws(PostgresError) {
                let answer = try await body(connection)
                await connection.close()
                return answer
            } catch {
                await connection.close()
                throw error
            }
        } catch {
            throw FailoverFailure(error)
        }
    }
}

extension FailoverFailure {
    /// Sorts what PostgreSQL says: a server that starts, stops or cannot be reached may be there soon.
    init(_ error: PostgresError) {
        switch error {
        case .connect, .closed, .timeout: self = .unavailable("\(error)")
        case .server(let state, _, _, _) where ["08", "53", "57"].contains(state.prefix(2)):
            self = .unavailable("\(error)")
        case .server, .authentication, .cancelled, .protocolViolation: self = .failed("\(error)")
        }
    }
}
