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
        let connection = found.connection
        var (questions, questionsToPrune) = (0, 0)
        var reason: String?
        while reason == nil, !Task.isCancelled {
            reason = await inTime(connection) { await Self.standing(of: connection) }
            guard reason == nil else { break }
            await arrived()
            if questionsToPrune == 0 {
                switch await inTime(connection, { await Self.prune(connection) }) {
                // A full bite: there is more, and more comes in all the time.
                case .success(let count): questionsToPrune = count < OnceKey.pruneLimit ? Self.pruneEvery : 1
                case .failure(let error): reason = "\(error)"
                }
            }
            questions += 1
            questionsToPrune -= 1
            if reason == nil, servers.count > 1, questions % Self.searchEvery == 0,
                let other = await rankOfOther(than: found.place),
                let own = await inTime(connection, { try? await PrimarySearch.rank(connection) }), own < other
            {
                reason = "another server is the primary"
            }
            try? await Task.sleep(for: Self.interval)
        }
        await connection.close()
        return reason ?? "the worker stops"
    }

    /// Keys that are forgotten need not be on a standby, whose silence must not pass for PostgreSQL's; nor must that of who
    /// has locked their table: the server refuses before the question's time is up.
    private nonisolated var watched: [PostgresOptions] {
        servers.map { server in
            var server = server
            server.settings["synchronous_commit"] = "off"
            server.settings["lock_timeout"] = "300ms"
            server.settings["statement_timeout"] = "700ms"
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

    /// What the server is that a search finds, if it is another one than that at `place`. It is not the primary for that: the
    /// one at `place` may only have been slow to answer. But an old primary that lives takes writes that will be lost.
    private nonisolated func rankOfOther(than place: Int) async -> PrimarySearch.Rank? {
        let servers = servers
        return await withTaskGroup(of: PrimarySearch.Rank?.self) { group in
            group.addTask {
                guard let found = try? await PrimarySearch.connect(servers) else { return nil }
                var rank: PrimarySearch.Rank?
                if found.place != place { rank = try? await PrimarySearch.rank(found.connection) }
                await found.connection.close()
                return rank
            }
            group.addTask {
                try? await Task.sleep(for: Self.answerTime)
                return nil
            }
            let rank: PrimarySearch.Rank? = await group.next() ?? nil
            group.cancelAll()
            return rank
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
