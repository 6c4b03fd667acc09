internal import Failover
internal import Journal
internal import Projection
internal import RESP
internal import RedisClient
internal import RegionConfig

/// The regions beside the survivor and the one that is down. Each may have entries of that one which the survivor lacks, or
/// lack some; the one that is down is never asked.
struct OtherRegions: Sendable {
    /// The survivor.
    let region: Region
    let down: String

    /// Entries that are counted of one journal before anything is changed.
    private static let countedEntries = 10_000

    /// How long other regions are given what they lack, all of them: the failover waits for it.
    private static let givingTime = Duration.seconds(5)

    private var peers: [Region.Peer] { region.peers.filter { $0.region != down } }

    // MARK: Looking

    /// How each stands, in the order of the region file; all are asked at once.
    func look() async -> [FoundOther] {
        await withTaskGroup(of: FoundOther.self) { group in
            for peer in peers {
                group.addTask {
                    do throws(FailoverFailure) {
                        return try await look(at: peer)
                    } catch {
                        return FoundOther(region: peer.region, unreachable: error.reason)
                    }
                }
            }
            var found: [String: FoundOther] = [:]
            for await other in group { found[other.region] = other }
            return peers.compactMap { found[$0.region] }
        }
    }

    private func look(at peer: Region.Peer) async throws(FailoverFailure) -> FoundOther {
        try await SurvivorRedis.with(region, at: peer) { other throws(FailoverFailure) -> FoundOther in
            try await SurvivorRedis.with(region, at: nil) { own throws(FailoverFailure) -> FoundOther in
                var found = FoundOther(region: peer.region)
                let tenants = try await own.tenants() + (try await other.tenants())
                let journals = SurvivorRedis.journals(of: down, tenants: tenants)
                let held = try await own.copies(of: journals, in: region.name)
                let offered = try await other.copies(of: journals, in: peer.region)
                var tails: [(journal: JournalName, mine: HeldCopy, theirs: HeldCopy)] = []
                for (journal, (mine, theirs)) in zip(journals, zip(held, offered)) {
                    switch (mine.lack(of: theirs), theirs.lack(of: mine)) {
                    case (.obstacle(let obstacle), _), (_, .obstacle(let obstacle)):
                        found.left.append(obstacle.text(on: journal))
                    case (.tail, _): tails.append((journal, mine, theirs))
                    case (.nothing, .tail): found.behind += 1
                    case (.nothing, .nothing): break
                    }
                }
                let behind = try await other.behind(
                    tails.map { JournalCursor($0.journal, behind: $0.mine.last) }, limit: Self.countedEntries)
                for (tail, (entries, digest)) in zip(tails, behind) {
                    guard tail.mine.isContinued(by: tail.theirs, showing: digest) else {
                        found.left.append(HeldCopy.Obstacle.forked.text(on: tail.journal))
                        continue
                    }
                    found.ahead += 1
                    if tail.journal.topic == .voice { found.voice &+= entries }
                }
                found.left.sort()
                return found
            }
        }
    }

    /// Voice journals that other regions project beyond the cut here, over all that can be asked.
    func beyondCut(of survivor: SurvivorRedis) async throws(FailoverFailure) -> Int {
        guard !peers.isEmpty else { return 0 }
        let cuts = try await survivor.voice(of: down)
        return await withTaskGroup(of: Int.self) { group in
            for peer in peers {
                group.addTask {
                    do throws(FailoverFailure) {
                        return try await beyond(cuts, at: peer)
                    } catch {
                        return 0
                    }
                }
            }
            var journals = 0
            for await count in group { journals += count }
            return journals
        }
    }

    private func beyond(_ cuts: [VoiceProgress], at peer: Region.Peer) async throws(FailoverFailure) -> Int {
        try await SurvivorRedis.with(region, at: peer) { other throws(FailoverFailure) -> Int in
            let field = ProjectionKeys.voiceCursor(origin: down)
            let cursors = try await other.ask(
                cuts.map { RedisCommand("HGET", ProjectionKeys.cursors(tenant: $0.tenant), field) })
            return zip(cuts, cursors).count { held, cursor in
                guard let cut = held.cut, let projected = cursor.string.flatMap({ EntryID($0) }) else { return false }
                return projected > cut.last
            }
        }
    }

    // MARK: Levelling

    private enum Direction { case fetching, giving }

    /// First the survivor is given what the others alone have, then they what it has.
    func level(with names: [String]) async throws(FailoverFailure) -> [LevelledRegion] {
        let chosen = peers.filter { names.contains($0.region) }
        guard !chosen.isEmpty else { return [] }
        return try await SurvivorRedis.with(region, at: nil) { own throws(FailoverFailure) -> [LevelledRegion] in
            var levelled = chosen.map { LevelledRegion(region: $0.region) }
            for (index, peer) in chosen.enumerated() {
                try await level(own, with: peer, .fetching, until: nil, &levelled[index])
            }
            let deadline = ContinuousClock.now + Self.givingTime
            for (index, peer) in chosen.enumerated() where levelled[index].failure == nil {
                try await level(own, with: peer, .giving, until: deadline, &levelled[index])
            }
            return levelled
        }
    }

    /// What goes wrong at the peer is noted; only what goes wrong here is thrown.
    private func level(
        _ own: SurvivorRedis, with peer: Region.Peer, _ direction: Direction, until deadline: ContinuousClock.Instant?,
        _ result: inout LevelledRegion
    ) async throws(FailoverFailure) {
        let other: SurvivorRedis
        do throws(FailoverFailure) {
            other = try await SurvivorRedis.connect(region, at: peer, within: SurvivorRedis.patience)
        } catch {
            result.failure = error.reason
            return
        }
        defer { other.close() }
        let survivor = CopyEnd(region: region.name, redis: own)
        let end = CopyEnd(region: peer.region, redis: other)
        let levelling =
            direction == .fetching
            ? CopyLevelling(down: down, source: end, target: survivor)
            : CopyLevelling(down: down, source: survivor, target: end)
        let levelled = await levelling.run(until: deadline)
        switch direction {
        case .fetching: result.fetched = levelled.entries
        case .giving: result.given = levelled.entries
        }
        result.left = Set(result.left + levelled.left).sorted()
        guard let failure = levelled.failure else { return }
        if failure.region == region.name { throw failure.failure }
        result.failure = failure.failure.reason
    }
}
