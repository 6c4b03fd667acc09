internal import Failover
internal import Journal
internal import Projection
internal import RESP
internal import RedisClient
internal import VoiceEvents

/// Appends to the survivor's voice journals what closes the calls and agents of the region that is down, each once.
///
/// A tenant's events are appended in the order of their subjects, some at a time, each time with a mark that names the
/// last subject: a run that was cut off goes on behind it.
struct OrphanAppending {
    /// The survivor.
    let region: String
    let down: String
    let history: UInt64
    let redis: SurvivorRedis

    /// Subjects whose events are appended together.
    private static let subjectsPerCall = 64

    /// A call or an agent, and what closes it.
    private struct Orphan {
        /// `agent <id>` or `call <ConnID>`.
        let subject: String
        let isCall: Bool
        let events: [VoiceEvent]
    }

    func run() async throws(FailoverFailure) -> ClosedOrphans {
        try await redis.wait(
            RedisFailoverRegion.projectionPatience,
            orFail: "the worker does not project the journals of \(down) to the cut: regionsync status says why"
        ) { () throws(FailoverFailure) in
            try await redis.voice(of: down).allSatisfy { !$0.isBehind }
        }
        let closing = OrphanClosing(region: down, server: region, time: try await declaredAt())
        let records = SurvivorRecords(redis: redis)
        let agents = try await records.agents()
        var (calls, loggedOut, events) = (0, 0, 0)
        for tenant in try await redis.tenants() {
            var orphans = try await records.openCalls(tenant: tenant).map { call in
                Orphan(subject: "call \(call.connID)", isCall: true, events: closing.events(closing: call))
            }
            orphans += (agents[tenant] ?? []).map { agent in
                Orphan(subject: "agent \(agent.agentID)", isCall: false, events: closing.events(loggingOut: agent))
            }
            let appended = try await append(orphans.filter { !$0.events.isEmpty }, tenant: tenant)
            calls += appended.count { $0.isCall }
            loggedOut += appended.count { !$0.isCall }
            events += appended.reduce(0) { $0 + $1.events.count }
        }
        return ClosedOrphans(calls: calls, agents: loggedOut, events: events)
    }

    /// When the region was declared down, µs since 1970: the same in every run.
    private func declaredAt() async throws(FailoverFailure) -> Int64 {
        let note = try await redis.ask("HGET", ProjectionKeys.trailing, ProjectionKeys.down(region: down)).string
        // Rejoined by an earlier run: then there is nothing left to be closed.
        if note == nil, down == region { return 0 }
        let entry = note?.split(separator: " ").last.flatMap { EntryID($0) }
        guard let entry, let milliseconds = Int64(exactly: entry.first), milliseconds < 1 << 52 else {
            throw .failed("\(down) is not declared down")
        }
        return milliseconds * 1000
    }

    /// Answers those that were appended now.
    private func append(_ orphans: [Orphan], tenant: String) async throws(FailoverFailure) -> [Orphan] {
        let state = ProjectionKeys.cursors(tenant: tenant)
        let field = "orphans:\(down)"
        var mark = try await redis.ask("HGET", state, field).string ?? ""
        let words = mark.split(separator: " ", maxSplits: 1)
        let isOurs = words.first == "\(history)"
        if isOurs, words.count == 1 { return [] }
        let passed = isOurs && words.count == 2 ? Array(words[1].utf8) : []
        let left = orphans.filter { passed.lexicographicallyPrecedes($0.subject.utf8) }
            .sorted { $0.subject.utf8.lexicographicallyPrecedes($1.subject.utf8) }
        for start in stride(from: 0, to: left.count, by: Self.subjectsPerCall) {
            let some = left[start..<min(start + Self.subjectsPerCall, left.count)]
            let next = "\(history) \(some.last?.subject ?? "")"
            mark = try await append(some.flatMap(\.events), tenant, state, field, from: mark, to: next)
        }
        _ = try await append([], tenant, state, field, from: mark, to: "\(history)")
        return left
    }

    private func append(
        _ events: [VoiceEvent], _ tenant: String, _ state: String, _ field: String, from mark: String, to next: String
    ) async throws(FailoverFailure) -> String {
        var words = [
            "FCALL", "rsf1_close", "2", state, JournalName.voice(tenant: tenant, origin: region).key, field, mark, next,
        ]
        for event in events { words += event.fields.map(\.1) }
        _ = try await redis.ask([RedisCommand(words: words, runs: [])])
        return next
    }
}
