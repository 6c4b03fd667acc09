internal import Failover
internal import Journal
internal import Projection
internal import RESP
internal import RedisClient
internal import RegionConfig

/// A region that came back, and its peers, which end its voice journals at a cut until it rejoins.
///
/// From the rejoining on peers project what it writes. What it wrote between the cut and then is in their journals and
/// stays out of their state; so its front ends are kept out, and what was open is closed before.
struct RegionReturn {
    let region: Region
    /// The failback that this is part of, by a word of its own.
    let run: String
    /// The region's own.
    let redis: SurvivorRedis

    /// How long journals are watched for somebody who writes to them.
    private static let watchTime = Duration.seconds(1)

    func found() async throws(FailoverFailure) -> FoundReturn {
        let journals = try await journals()
        let before = try await redis.ends(of: journals)
        do { try await Task.sleep(for: Self.watchTime) } catch { throw .failed("it was interrupted") }
        let after = try await redis.ends(of: journals)
        return FoundReturn(written: zip(before, after).count { $0 != $1 }, behind: try await journalsBehind())
    }

    private func journals() async throws(FailoverFailure) -> [JournalName] {
        try await redis.tenants().map { .voice(tenant: $0, origin: region.name) }
    }

    /// Voice journals of which some peer lacks entries.
    private func journalsBehind() async throws(FailoverFailure) -> Int {
        let journals = try await journals()
        let own = try await redis.ends(of: journals)
        var behind: Set<JournalName> = []
        for peer in region.peers {
            let other = try await SurvivorRedis.connect(region, at: peer)
            defer { other.close() }
            let copies = try await other.ask(journals.map { RedisCommand("HGET", $0.metaKey, "last") })
            for (index, last) in own.enumerated() where copies[index].string.flatMap({ EntryID($0) }) ?? .zero < last {
                behind.insert(journals[index])
            }
        }
        return behind.count
    }

    func rejoin(history: UInt64, captures: Bool) async throws(FailoverFailure) -> RejoinedJournals {
        if !captures { try await close(history: history) }
        // Of two regions that come back one yields here, before it has changed anything at a peer.
        let reservation = HistoryReservation(region: region, holder: run)
        for peer in region.peers {
            let other = try await SurvivorRedis.connect(region, at: peer)
            defer { other.close() }
            try await reservation.reserve(history &+ 1, at: other)
        }
        var journals = 0
        var withheld: UInt64 = 0
        for peer in region.peers {
            let other = try await SurvivorRedis.connect(region, at: peer)
            defer { other.close() }
            for tail in try await rejoin(peer.region, other) {
                journals += 1
                withheld &+= tail
            }
        }
        return RejoinedJournals(journals: journals, withheld: withheld)
    }

    /// Closes what is open here alone: what the region wrote last, and nobody else has seen.
    private func close(history: UInt64) async throws(FailoverFailure) {
        _ = try await OrphanAppending(region: region.name, down: region.name, history: history, redis: redis).run()
        try await redis.wait(
            RedisFailoverRegion.projectionPatience, orFail: "peers do not get what \(region.name) has closed"
        ) { () throws(FailoverFailure) in try await journalsBehind() == 0 }
    }

    /// Takes back what a run reserved at each peer of the region, at least where that can be done.
    static func unreserve(_ region: Region, run: String, keepsNumber: Bool) async throws(FailoverFailure) {
        var failure: FailoverFailure?
        for peer in region.peers {
            do throws(FailoverFailure) {
                let other = try await SurvivorRedis.connect(region, at: peer)
                defer { other.close() }
                try await HistoryReservation(region: region, holder: run).release(at: other, keepsNumber: keepsNumber)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Answers how many entries each journal's tail has that was cut there.
    private func rejoin(_ peer: String, _ other: SurvivorRedis) async throws(FailoverFailure) -> [UInt64] {
        let own = region.name
        let answers = try await other.ask(
            try await other.tenants().map { tenant in
                RedisCommand(
                    "FCALL", "rsf1_rejoin", "2", ProjectionKeys.cursors(tenant: tenant),
                    JournalName.voice(tenant: tenant, origin: own).metaKey, ProjectionKeys.voiceCursor(origin: own),
                    ProjectionKeys.voiceCut(origin: own), ProjectionKeys.voiceTail(origin: own))
            })
        _ = try await other.ask(
            "FCALL", "rsf1_rejoined", "2", ProjectionKeys.trailing, JournalName.control(origin: peer).key,
            ProjectionKeys.down(region: own), own, "{}")
        return answers.compactMap { answer in
            let words = answer.string?.split(separator: " ") ?? []
            return words.count == 3 ? UInt64(words[1]) : nil
        }
    }
}
