internal import ConfigListener
internal import Connections
internal import PostgresClient

// Whether PostgreSQL is there: known beforehand, so that writes need not find out one by one.
extension PostgresProvisioning {
    /// Asks until it is cancelled; then there are no writes any more.
    package nonisolated func run() async {
        while !Task.isCancelled {
            await left(await watch())
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// Finds the primary, asks it again and again, and answers why that ended.
    private nonisolated func watch() async -> String {
        let found: PrimarySearch.Found
        do throws(PostgresError) {
            found = try await PrimarySearch.connect(watched)
        } catch {
            return "\(error)"
        }
        let reason = await withTaskGroup(of: String?.self) { group in
            group.addTask { await self.absence(of: found.connection) }
            if servers.count > 1 { group.addTask { await self.successor(of: found) } }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        await found.connection.close()
        return reason ?? "the worker stops"
    }

    /// Asks until there is a reason why it takes no writes; nil when cancelled.
    private nonisolated func absence(of connection: PostgresConnection) async -> String? {
        var questionsToPrune = 0
        while !Task.isCancelled {
            if let reason = await inTime(connection, { await Self.standing(of: connection) }) { return reason }
            await arrived()
            if questionsToPrune == 0 {
                switch await inTime(connection, { await Self.prune(connection) }) {
                // A full bite: there is more, and more comes in all the time.
                case .success(let count): questionsToPrune = count < OnceKey.pruneLimit ? Self.pruneEvery : 1
                case .failure(let error): return "\(error)"
                }
            }
            questionsToPrune -= 1
            try? await Task.sleep(for: Self.interval)
        }
        return nil
    }

    /// Looks until another server has a newer history, and so is the primary; nil when cancelled. An old primary that nobody
    /// has fenced takes writes all the same, which are lost.
    private nonisolated func successor(of present: PrimarySearch.Found) async -> String? {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.searchInterval)
            guard let best = try? await PrimarySearch.connect(watched) else { continue }
            var isNewer = false
            if best.place != present.place, let rank = try? await PrimarySearch.rank(best.connection),
                let own = try? await PrimarySearch.rank(present.connection)
            {
                isNewer = own < rank
            }
            await best.connection.close()
            if isNewer { return "another server has a newer history" }
        }
        return nil
    }

    /// Keys that are forgotten need not be on a standby, whose silence must not pass for PostgreSQL's.
    private nonisolated var watched: [PostgresOptions] {
        servers.map { server in
            var server = server
            server.settings["synchronous_commit"] = "off"
            return server
        }
    }

    /// Closes the connection when `body` takes too long, which ends it.
    private nonisolated func inTime<Answer: Sendable>(
        _ connection: PostgresConnection, _ body: () async -> Answer
    ) async -> Answer {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await Task.sleep(for: Self.answerTime) } catch { return }
                await connection.close()
            }
            let answer = await body()
            group.cancelAll()
            return answer
        }
    }

    /// Nil: it takes writes.
    private static func standing(of connection: PostgresConnection) async -> String? {
        do throws(PostgresError) {
            let rows = try await connection.query("SELECT pg_is_in_recovery() AS recovers", timeout: nil)
            return try rows.first?.boolean("recovers") ?? true ? "PostgreSQL is a standby" : nil
        } catch {
            return "\(error)"
        }
    }

    /// How many keys it has forgotten. A refusal says nothing about whether PostgreSQL is there.
    private static func prune(_ connection: PostgresConnection) async -> Result<Int, PostgresError> {
        do throws(PostgresError) {
            return .success(try await connection.query(OnceKey.prune.sql, timeout: nil).affectedRows)
        } catch {
            return error.sqlState == nil ? .failure(error) : .success(0)
        }
    }
}
