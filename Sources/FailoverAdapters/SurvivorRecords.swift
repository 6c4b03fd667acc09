internal import Failover
internal import Projection
internal import RESP
internal import RedisClient
internal import VoiceEvents

/// Reads the calls and agents that the survivor's projection keeps.
struct SurvivorRecords {
    let redis: SurvivorRedis

    /// A tenant's calls that have not ended, of all regions.
    func openCalls(tenant: String) async throws(FailoverFailure) -> [CallMachine] {
        let ids = try await redis.ask("SMEMBERS", ProjectionKeys.activeCalls(tenant: tenant)).elements
            .compactMap(\.string)
        return try await records(ids.map { ProjectionKeys.call(tenant: tenant, connID: $0) }).compactMap {
            try? CallMachine(fields: $0)
        }
    }

    /// All agents, by tenant.
    func agents() async throws(FailoverFailure) -> [String: [AgentMachine]] {
        var keys: Set<String> = []
        var cursor = "0"
        repeat {
            let reply = try await redis.ask("SCAN", cursor, "MATCH", "agent:{*", "COUNT", "2000")
            guard let next = reply[0]?.string, let found = reply[1] else { throw .failed("SCAN answered \(reply)") }
            cursor = next
            keys.formUnion(found.elements.compactMap(\.string))
        } while cursor != "0"
        var agents: [String: [AgentMachine]] = [:]
        let sorted = keys.sorted()
        for (key, fields) in zip(sorted, try await records(sorted)) {
            guard let tenant = key.dropFirst("agent:{".count).split(separator: "}").first,
                let agent = try? AgentMachine(fields: fields)
            else { continue }
            agents[String(tenant), default: []].append(agent)
        }
        return agents
    }

    private func records(_ keys: [String]) async throws(FailoverFailure) -> [[(String, String)]] {
        try await redis.ask(keys.map { RedisCommand("HGETALL", $0) }).map { reply in
            let words = reply.elements.map { $0.string ?? "" }
            return stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }
        }
    }
}
