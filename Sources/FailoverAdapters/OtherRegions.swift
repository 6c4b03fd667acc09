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
                for (journal, (mine, theirs)) in zip(journals, zip(held, offered)) {
                    switch (mine.lack(of: theirs), theirs.lack(of: mine)) {
                    case (.obstacle(let obstacle), _), (_, .obstacle(let obstacle)):
                        found.left.append(Self.text(journal, obstacle))
                    case (.tail, _):
                        let (entries, digest) = try await other.behind(
                            mine.last, of: journal, limit: Self.countedEntries)
                        guard mine.isContinued(by: theirs, showing: digest) else {
                            found.left.append(Self.text(journal, .forked))
                            continue
                        }
                        found.ahead += 1
                        if journal.topic == .voice { found.voice &+= entries }
                    case (.nothing, .tail): found.behind += 1
                    case (.nothing, .nothing): break
                    }
                }
                return found
            }
        }
    }

    private static func text(_ journal: JournalName, _ obstacle: HeldCopy.Obstacle) -> String {
        "\(journal) (\(obstacle.rawValue))"
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
        let survivor = TailTransfer.End(region: region.name, redis: own)
        let end = TailTransfer.End(region: peer.region, redis: other)
        let (source, target) = direction == .fetching ? (end, survivor) : (survivor, end)
        var given: UInt64 = 0
        var left = result.left
        do throws(TailTransfer.Failure) {
            try await carry(from: source, to: target, until: deadline, &given, &left)
        } catch {
            if error.region == region.name { throw error.failure }
            result.failure = error.failure.reason
        }
        switch direction {
        case .fetching: result.fetched = given
        case .giving: result.given = given
        }
        result.left = left
    }

    private func carry(
        from source: TailTransfer.End, to target: TailTransfer.End, until deadline: ContinuousClock.Instant?,
        _ given: inout UInt64, _ left: inout [String]
    ) async throws(TailTransfer.Failure) {
        let known = try await target.ask { redis throws(FailoverFailure) in try await redis.tenants() }
        let others = try await source.ask { redis throws(FailoverFailure) in try await redis.tenants() }
        let journals = SurvivorRedis.journals(of: down, tenants: known + others)
        let held = try await target.copies(of: journals)
        let offered = try await source.copies(of: journals)
        _ = try await target.ask { redis throws(FailoverFailure) in
            try await redis.ask([JournalFunctions.library.loadCommand])
        }
        for (journal, (mine, theirs)) in zip(journals, zip(held, offered)) where mine.lack(of: theirs) != .nothing {
            let transfer = TailTransfer(journal: journal, source: source, target: target)
            if let obstacle = try await transfer.run(&given, until: deadline) {
                let text = Self.text(journal, obstacle)
                if !left.contains(text) { left.append(text) }
            } else if journal.topic == .voice, !known.contains(journal.tenant) {
                // Nobody here knew of the tenant, and its journal is to be cut and projected as the others are.
                _ = try await target.ask { redis throws(FailoverFailure) in
                    try await redis.ask("SADD", tenantsKey, journal.tenant)
                }
            }
        }
    }
}
