internal import Failover
internal import Journal
internal import Projection
internal import RESP
internal import RedisClient

/// Ends the journals of a region that is down where the copies here end, and declares it down.
struct RegionDeclaration {
    /// The survivor.
    let region: String
    let down: String
    let history: UInt64
    let redis: SurvivorRedis

    /// The cuts come first: from then on nothing beyond them is projected here, so that what is declared is true.
    func run() async throws(FailoverFailure) -> DeclaredCut {
        var cuts = try await cutVoice()
        let voice = cuts
        for journal in [JournalName.provisioning(origin: down), .control(origin: down)] {
            let meta = try await redis.ask("HMGET", journal.metaKey, "last", "count")
            cuts[journal] = JournalCut(
                last: meta[0]?.string.flatMap { EntryID($0) } ?? .zero,
                count: meta[1]?.string.flatMap { UInt64($0) } ?? 0)
        }
        let before = try await redis.ask("HGET", ProjectionKeys.trailing, ProjectionKeys.down(region: down)).string
        let declaration = RegionDown(region: down, history: history, cuts: cuts)
        _ = try await redis.ask(
            "FCALL", "rsf1_declare", "2", ProjectionKeys.trailing, JournalName.control(origin: region).key,
            ProjectionKeys.down(region: down), "\(history)", down, declaration.data)
        return DeclaredCut(
            journals: voice.values.count { $0.last > .zero }, entries: voice.values.reduce(0) { $0 &+ $1.count },
            wasDeclared: before.map { $0.hasPrefix("\(history) ") } ?? false)
    }

    private func cutVoice() async throws(FailoverFailure) -> [JournalName: JournalCut] {
        let journals = try await redis.tenants().map { JournalName.voice(tenant: $0, origin: down) }
        let answers = try await redis.ask(
            journals.map { journal in
                RedisCommand(
                    "FCALL", "rsf1_cut", "2", ProjectionKeys.cursors(tenant: journal.tenant), journal.metaKey,
                    ProjectionKeys.voiceCut(origin: down))
            })
        var cuts: [JournalName: JournalCut] = [:]
        for (journal, answer) in zip(journals, answers) {
            guard let cut = answer.string.flatMap({ JournalCut($0) }) else {
                throw .failed("the cut of \(journal) cannot be read: \(answer)")
            }
            cuts[journal] = cut
        }
        return cuts
    }
}
