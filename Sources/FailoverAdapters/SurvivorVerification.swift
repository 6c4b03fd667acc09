internal import Failover
internal import Journal
internal import PostgresClient
internal import RegionConfig
internal import Verification
internal import VoiceEvents

/// What must hold at the end: the cache is what the new primary holds, and nothing of the region that is down is open.
struct SurvivorVerification {
    let region: Region
    /// The new primary.
    let database: PostgresOptions
    /// Nil when no region is down.
    let down: String?
    let redis: SurvivorRedis

    /// How long what was just appended may take to be projected.
    private static let patience = Duration.seconds(10)

    func run() async throws(FailoverFailure) -> FailoverChecks {
        let caches = try await compareCache()
        let deadline = ContinuousClock.now + Self.patience
        guard let down else {
            return FailoverChecks(
                objects: caches.objects, drift: caches.drift, openCalls: 0, loggedInAgents: 0, beyondCut: 0)
        }
        while true {
            let (calls, agents, beyond) = try await leftovers(of: down)
            if calls + agents == 0 || ContinuousClock.now >= deadline {
                return FailoverChecks(
                    objects: caches.objects, drift: caches.drift, openCalls: calls, loggedInAgents: agents,
                    beyondCut: beyond)
            }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { throw .failed("it was interrupted") }
        }
    }

    private func compareCache() async throws(FailoverFailure) -> CacheVerification.Result {
        do {
            let server = try await RegionServer.connect(region)
            defer { server.close() }
            let connection = try await PostgresConnection.connect(database)
            do {
                let result = try await CacheVerification(
                    catalog: region.catalog, publication: region.postgres.publication, regions: [server],
                    wait: Self.patience
                ) { _ in }.run(connection)
                await connection.close()
                return result
            } catch {
                await connection.close()
                throw error
            }
        } catch let error as PostgresError {
            throw FailoverFailure(error)
        } catch let error as VerificationError {
            throw .unavailable("\(error)")
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Open calls and logged-in agents of the region that is down, and voice journals projected beyond the cut.
    private func leftovers(of down: String) async throws(FailoverFailure) -> (calls: Int, agents: Int, beyond: Int) {
        let records = SurvivorRecords(redis: redis)
        var calls = 0
        for tenant in try await redis.tenants() {
            calls += try await records.openCalls(tenant: tenant).count { $0.region == down && !$0.hasEnded }
        }
        let agents = try await records.agents().values.joined().count { agent in
            agent.sessions.contains { $0.region == down && $0.state != .null }
        }
        let beyond = try await redis.voice(of: down).count { progress in
            progress.cut.map { progress.projected > $0.last } ?? false
        }
        return (calls, agents, beyond)
    }
}
