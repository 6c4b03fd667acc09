internal import Failover
internal import Journal
internal import RESP

/// Gives one region all that another one alone has of the journals of the region that is down; many journals at a time, as
/// each takes some round trips.
struct CopyLevelling {
    /// What came of it.
    struct Result {
        var entries: UInt64 = 0
        /// Journals that were left as they are, each with the reason.
        var left: [String] = []
        var failure: CopyEnd.Failure?
    }

    let down: String
    let source: CopyEnd
    let target: CopyEnd

    /// Journals at a time.
    private static let width = 64

    /// Bytes of entries on the way, over all journals.
    private static let pageBytes = 8 << 20

    /// Ends early at the first failure, and at `deadline`, which then counts as one of the target.
    func run(until deadline: ContinuousClock.Instant?) async -> Result {
        var result = Result()
        do throws(CopyEnd.Failure) {
            let known = try await target.ask { redis throws(FailoverFailure) in try await redis.tenants() }
            let tails = try await transfers(known, until: deadline, &result)
            guard !tails.isEmpty else { return result }
            _ = try await target.ask { redis throws(FailoverFailure) in
                try await redis.ask([JournalFunctions.library.loadCommand])
            }
            // First: whoever is killed behind it leaves no journal that nobody knows of.
            let tenants = tails.filter { $0.journal.topic == .voice }.map(\.journal.tenant)
            try await introduce(Set(tenants).subtracting(known).sorted())
            for outcome in await outcomes(of: tails) {
                result.entries &+= outcome.entries
                if let obstacle = outcome.obstacle { result.left.append(obstacle.text(on: outcome.journal)) }
                result.failure = result.failure ?? outcome.failure
            }
            result.left.sort()
        } catch {
            result.failure = result.failure ?? error
        }
        return result
    }

    /// What is to be carried over. What is left alone goes into `result`.
    private func transfers(
        _ known: [String], until deadline: ContinuousClock.Instant?, _ result: inout Result
    ) async throws(CopyEnd.Failure) -> [TailTransfer] {
        let others = try await source.ask { redis throws(FailoverFailure) in try await redis.tenants() }
        let journals = SurvivorRedis.journals(of: down, tenants: known + others)
        let held = try await target.copies(of: journals)
        let offered = try await source.copies(of: journals)
        var tails: [(journal: JournalName, held: HeldCopy, offered: HeldCopy)] = []
        for (journal, (mine, theirs)) in zip(journals, zip(held, offered)) {
            switch mine.lack(of: theirs) {
            case .nothing: break
            case .obstacle(let obstacle): result.left.append(obstacle.text(on: journal))
            case .tail: tails.append((journal, mine, theirs))
            }
        }
        let places = tails.map { JournalCursor($0.journal, behind: $0.held.last) }
        let shown = try await source.ask { redis throws(FailoverFailure) in
            try await redis.behind(places, limit: 1)
        }
        let bytes = Self.pageBytes / max(1, min(tails.count, Self.width))
        return zip(tails, shown).map { tail, shown in
            TailTransfer(
                journal: tail.journal, source: source, target: target, pageBytes: bytes, deadline: deadline,
                first: TailTransfer.Look(held: tail.held, offered: tail.offered, digest: shown.digest))
        }
    }

    private func outcomes(of transfers: [TailTransfer]) async -> [TailTransfer.Outcome] {
        await withTaskGroup(of: TailTransfer.Outcome.self) { group in
            var waiting = transfers[...]
            for transfer in waiting.prefix(Self.width) { group.addTask { await transfer.run() } }
            waiting = waiting.dropFirst(Self.width)
            var outcomes: [TailTransfer.Outcome] = []
            for await outcome in group {
                outcomes.append(outcome)
                if outcome.failure == nil, let transfer = waiting.popFirst() {
                    group.addTask { await transfer.run() }
                }
            }
            return outcomes
        }
    }

    /// Tenants that nobody there knew: their journals are projected, and cut, as the others are.
    private func introduce(_ tenants: [String]) async throws(CopyEnd.Failure) {
        guard !tenants.isEmpty else { return }
        _ = try await target.ask { redis throws(FailoverFailure) in
            try await redis.ask(tenants.map { RedisCommand("SADD", tenantsKey, $0) })
        }
    }
}
