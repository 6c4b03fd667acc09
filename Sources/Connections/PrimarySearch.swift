package import PostgresClient

/// Finds the primary among the PostgreSQL servers that a region knows: its usual one, and the standby that takes over.
///
/// Of servers that take writes the one with the newest history counts: an old primary that came back has an older one.
package enum PrimarySearch {
    /// What a server that answered is.
    package struct Rank: Hashable, Comparable, Sendable {
        package let takesWrites: Bool
        /// The newest number in `regionsync.history`; 0 where there is none.
        package let history: UInt64

        package init(takesWrites: Bool, history: UInt64) {
            self.takesWrites = takesWrites
            self.history = history
        }

        package static func < (left: Rank, right: Rank) -> Bool {
            if left.takesWrites != right.takesWrites { return right.takesWrites }
            return left.history < right.history
        }
    }

    /// A connection, and the place of its server among the candidates.
    package struct Found: Sendable {
        package let connection: PostgresConnection
        package let place: Int
    }

    /// How long others may be silent once a server that takes writes, or any server, has answered.
    private static let grace = (writable: Duration.milliseconds(300), any: Duration.seconds(1))

    private enum Event: Sendable {
        case answered(Int, Result<(PostgresConnection, Rank), PostgresError>)
        case patienceEnded
    }

    /// Connects to the best of the candidates, all asked at once; the earlier one of two that are alike. Throws what the
    /// first one failed with when none answers.
    package static func connect(_ candidates: [PostgresOptions]) async throws(PostgresError) -> Found {
        if candidates.count == 1 {
            return Found(connection: try await PostgresConnection.connect(candidates[0]), place: 0)
        }
        let (events, feed) = AsyncStream<Event>.makeStream()
        var search = Search(count: candidates.count)
        await withDiscardingTaskGroup { group in
            for (place, options) in candidates.enumerated() {
                group.addTask { feed.yield(.answered(place, await answer(of: options))) }
            }
            var incoming = events.makeAsyncIterator()
            while !search.isOver, let event = await incoming.next() {
                guard let patience = search.take(event) else { continue }
                group.addTask {
                    try? await Task.sleep(for: patience)
                    feed.yield(.patienceEnded)
                }
            }
            group.cancelAll()
        }
        feed.finish()
        for await event in events { _ = search.take(event) }
        for loser in search.losers { await loser.close() }
        return try search.result.get()
    }

    private static func answer(
        of options: PostgresOptions
    ) async -> Result<(PostgresConnection, Rank), PostgresError> {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(options)
            do throws(PostgresError) {
                return .success((connection, try await rank(connection)))
            } catch {
                await connection.close()
                throw error
            }
        } catch {
            return .failure(error)
        }
    }

    /// What the server behind `connection` is.
    package static func rank(_ connection: PostgresConnection) async throws(PostgresError) -> Rank {
        let state = try await connection.query(
            """
            SELECT NOT pg_is_in_recovery() AS writable, to_regclass('regionsync.history') IS NOT NULL AS has_history
            """, timeout: .seconds(5))
        guard let row = state.first else { throw .protocolViolation("a SELECT without a row") }
        var history: UInt64 = 0
        if try row.boolean("has_history") {
            let newest = try await connection.query(
                "SELECT coalesce(max(number), 0) AS number FROM regionsync.history", timeout: .seconds(5))
            history = try newest.first?.integer("number") ?? 0
        }
        return Rank(takesWrites: try row.boolean("writable"), history: history)
    }

    /// What has answered so far.
    private struct Search {
        private var answers: [Result<(PostgresConnection, Rank), PostgresError>?]
        private var isPatienceOver = false
        private var waitsFor = Duration.seconds(3600)

        init(count: Int) { answers = Array(repeating: nil, count: count) }

        var isOver: Bool { isPatienceOver || answers.allSatisfy { $0 != nil } }

        /// Answers how long to wait for the others, when that is less than before.
        mutating func take(_ event: Event) -> Duration? {
            guard case .answered(let place, let answer) = event else {
                isPatienceOver = true
                return nil
            }
            answers[place] = answer
            guard case .success(let (_, rank)) = answer else { return nil }
            let patience = rank.takesWrites ? grace.writable : grace.any
            guard patience < waitsFor else { return nil }
            waitsFor = patience
            return patience
        }

        private var best: Int? {
            var best: (place: Int, rank: Rank)?
            for (place, answer) in answers.enumerated() {
                guard case .success(let (_, rank))? = answer, best.map({ $0.rank < rank }) ?? true else { continue }
                best = (place, rank)
            }
            return best?.place
        }

        var losers: [PostgresConnection] {
            let winner = best
            return answers.enumerated().compactMap { place, answer in
                guard place != winner, case .success(let (connection, _))? = answer else { return nil }
                return connection
            }
        }

        var result: Result<Found, PostgresError> {
            if let best, case .success(let (connection, _))? = answers[best] {
                return .success(Found(connection: connection, place: best))
            }
            for answer in answers { if case .failure(let error)? = answer { return .failure(error) } }
            return .failure(.timeout)
        }
    }
}
