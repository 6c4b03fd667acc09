internal import Failover
internal import Journal

/// Gives one region's copy of a journal what another's has behind its end, page by page, through the guarded append.
///
/// Mirrors may still write to both, and other runs as well: whoever comes second is refused by the guard, and looks again.
struct TailTransfer {
    /// Where something went wrong, and what.
    struct Failure: Error {
        let region: String
        let failure: FailoverFailure
    }

    /// A region and its Redis.
    struct End {
        let region: String
        let redis: SurvivorRedis

        func ask<Answer>(
            _ body: (SurvivorRedis) async throws(FailoverFailure) -> Answer
        ) async throws(Failure) -> Answer {
            do throws(FailoverFailure) {
                return try await body(redis)
            } catch {
                throw Failure(region: region, failure: error)
            }
        }

        func copies(of journals: [JournalName]) async throws(Failure) -> [HeldCopy] {
            try await ask { redis throws(FailoverFailure) in try await redis.copies(of: journals, in: region) }
        }
    }

    /// How far a look led.
    private enum Progress {
        case done
        /// Somebody has changed one of the copies since.
        case moved
        /// The target took an entry for none.
        case refused
    }

    let journal: JournalName
    let source: End
    let target: End

    /// Looks at most, each after a refusal.
    private static let attempts = 8

    /// Bytes of entries on the way.
    private static let pageBytes = 4 << 20

    /// Answers why one of the copies is left as it is, if it is. `given` counts the entries, also those before a failure.
    func run(
        _ given: inout UInt64, until deadline: ContinuousClock.Instant?
    ) async throws(Failure) -> HeldCopy.Obstacle? {
        for _ in 0..<Self.attempts {
            try isInTime(deadline)
            guard let held = try await target.copies(of: [journal]).first,
                let offered = try await source.copies(of: [journal]).first
            else { return nil }
            switch held.lack(of: offered) {
            case .nothing: return nil
            case .obstacle(let obstacle): return obstacle
            case .tail: break
            }
            guard let birth = offered.birth else { return nil }
            let shown = try await source.ask { redis throws(FailoverFailure) in
                try await redis.behind(held.last, of: journal, limit: 1)
            }
            guard held.isContinued(by: offered, showing: shown.digest) else { return .forked }
            if held.birth == nil { try await begin(birth) }
            switch try await carry(behind: held.last, through: offered.last, birth, &given, deadline) {
            case .done: return nil
            case .refused: return .refused
            case .moved: break
            }
        }
        return .changing
    }

    private func isInTime(_ deadline: ContinuousClock.Instant?) throws(Failure) {
        guard let deadline, ContinuousClock.now >= deadline else { return }
        throw Failure(region: target.region, failure: .unavailable("it takes too long"))
    }

    /// Begins a copy where there is none.
    private func begin(_ birth: String) async throws(Failure) {
        _ = try await target.ask { redis throws(FailoverFailure) in
            try await redis.ask([JournalFunctions.open(journal, birth: birth)])
        }
    }

    private func carry(
        behind start: EntryID, through end: EntryID, _ birth: String, _ given: inout UInt64,
        _ deadline: ContinuousClock.Instant?
    ) async throws(Failure) -> Progress {
        var cursor = start
        var count = 64
        while cursor < end {
            try isInTime(deadline)
            let (from, size) = (cursor, count)
            let page = try await source.ask { redis throws(FailoverFailure) in
                try await redis.page(of: journal, birth: birth, behind: from, through: end, count: size)
            }
            guard let page else { return .moved }
            do throws(Refusal) {
                try await target.redis.append(page, to: journal, birth: birth)
            } catch {
                switch error {
                case .cursor, .fenced, .forked: return .moved
                case .unexpected: return .refused
                case .unavailable(let reason):
                    throw Failure(region: target.region, failure: .unavailable(reason))
                }
            }
            given += UInt64(page.count)
            cursor = page.last
            count = min(max(Self.pageBytes / max(1, page.byteCount / max(1, page.count)), 8), 2_000)
        }
        return .done
    }
}
