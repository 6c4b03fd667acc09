internal import ConfigListener
internal import Connections
internal import Logging
internal import Observability
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
        var questions = 0
        var pruning = OncePruning()
        var reason: String?
        while reason == nil, !Task.isCancelled {
            reason = await inTime(connection) { await Self.standing(of: connection) }
            guard reason == nil else { break }
            await arrived(at: found.place)
            if pruning.pause == 0 { reason = await prune(connection, &pruning) }
            questions += 1
            pruning.asked()
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
            server.settings["lock_timeout"] = (patience.answer * 3 / 10).postgresSetting
            server.settings["statement_timeout"] = (patience.answer * 7 / 10).postgresSetting
            return server
        }
    }

    /// Closes the connection when `body` takes too long, which ends it.
    private nonisolated func inTime<Answer: Sendable>(
        _ connection: PostgresConnection, _ body: () async -> Answer
    ) async -> Answer {
        let time = patience.answer
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await Task.sleep(for: time) } catch { return }
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
        let (servers, time) = (servers, patience.answer)
        return await withTaskGroup(of: PrimarySearch.Rank?.self) { group in
            group.addTask {
                guard let found = try? await PrimarySearch.connect(servers) else { return nil }
                var rank: PrimarySearch.Rank?
                if found.place != place { rank = try? await PrimarySearch.rank(found.connection) }
                await found.connection.close()
                return rank
            }
            group.addTask {
                try? await Task.sleep(for: time)
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

    /// Forgets a bite of keys. Answers why PostgreSQL is not there any more; a refusal says nothing about that.
    private nonisolated func prune(_ connection: PostgresConnection, _ pruning: inout OncePruning) async -> String? {
        let bite = pruning.bite
        switch await inTime(connection, { await Self.forget(bite, connection) }) {
        case .success(let count):
            if pruning.forgot(count) { logger.info("ONCE keys are forgotten again") }
        case .failure(let error):
            guard let sqlState = error.sqlState else { return "\(error)" }
            if pruning.refused(sqlState: sqlState) {
                logger.warning("PostgreSQL forgets no ONCE keys", [.reason: "\(error)"])
            }
        }
        return nil
    }

    /// How many keys it has forgotten.
    private static func forget(_ limit: Int, _ connection: PostgresConnection) async -> Result<Int, PostgresError> {
        do throws(PostgresError) {
            return .success(try await connection.query(OnceKey.pruning(limit).sql, timeout: nil).affectedRows)
        } catch {
            return .failure(error)
        }
    }
}
