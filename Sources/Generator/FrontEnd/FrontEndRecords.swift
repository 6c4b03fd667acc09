import Journal
import Projection
import RESP
import RedisClient
import Traffic
import VoiceEvents

/// What the region's worker keeps of calls and agents, for a front end that begins.
struct FrontEndRecords {
    private static let pageSize = 500

    let region: String
    let connection: RedisConnection

    /// Keys of all agents' records, by tenant. Walks all of the server's keys, since no list of agents is kept.
    func agents() async throws(RedisError) -> [String: [String]] {
        let start = "agent:{"
        var found: [String: [String]] = [:]
        var cursor = "0"
        repeat {
            let page = try await connection.send(
                RedisCommand("SCAN", cursor, "MATCH", "\(start)*}:*", "COUNT", "1000"))
            for key in page[1]?.elements.compactMap(\.string) ?? [] {
                guard let end = key.firstIndex(of: "}") else { continue }
                found[String(key[..<end].dropFirst(start.count)), default: []].append(key)
            }
            cursor = page[0]?.string ?? "0"
        } while cursor != "0"
        return found
    }

    /// Reports a tenant's records, if the worker has made any.
    func read(into frontEnd: inout FrontEnd, of tenant: String, agents: [String]) async throws(RedisError) {
        let cursor = try await connection.send(
            RedisCommand(
                "HGET", ProjectionKeys.cursors(tenant: tenant), ProjectionKeys.voiceCursor(origin: region)))
        guard let entry = cursor.string.flatMap({ EntryID($0) }) else { return }
        // Read behind the cursor: what changes meanwhile has more in it, not less.
        let active = try await connection.send(RedisCommand("SMEMBERS", ProjectionKeys.activeCalls(tenant: tenant)))
        let calls = active.elements.compactMap(\.string).map { ProjectionKeys.call(tenant: tenant, connID: $0) }
        // What cannot be read is nobody's state: the front end knows no such call, as nobody else does.
        for fields in try await records(calls) {
            if let call = try? CallMachine(fields: fields) { frontEnd.recordRead(call) }
        }
        for fields in try await records(agents) {
            if let agent = try? AgentMachine(fields: fields) { frontEnd.recordRead(agent) }
        }
        frontEnd.recordsRead(through: entry)
    }

    /// The hashes behind these keys; empty where there is none.
    private func records(_ keys: [String]) async throws(RedisError) -> [[(String, String)]] {
        var records: [[(String, String)]] = []
        for start in stride(from: 0, to: keys.count, by: Self.pageSize) {
            let page = keys[start..<min(start + Self.pageSize, keys.count)]
            for answer in await connection.pipeline(page.map { RedisCommand("HGETALL", $0) }) {
                switch answer {
                case .success(let reply):
                    let words = reply.elements.map { $0.string ?? "" }
                    records.append(
                        stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) })
                case .failure(.server): continue
                case .failure(let error): throw error
                }
            }
        }
        return records
    }
}
