internal import Failover
internal import Journal

/// Gives one region's copy of a journal what another's has behind its end, page by page, through the guarded append.
///
/// Mirrors may still write to both, and other runs as well: whoever comes second is refused by the guard, and looks again.
struct TailTransfer: Sendable {
    /// Both copies, and what the longer one shows where the other ends.
    struct Look: Sendable {
        let held: HeldCopy
        let offered: HeldCopy
        let digest: String?
    }

    /// What came of it.
    struct Outcome: Sendable {
        let journal: JournalName
        /// That were given, also before a failure.
        var entries: UInt64 = 0
        /// Why one of the copies is left as it is.
        var obstacle: HeldCopy.Obstacle?
        var failure: CopyEnd.Failure?
    }

    let journal: JournalName
    let source: CopyEnd
    let target: CopyEnd
    /// Bytes of entries on the way.
    let pageBytes: Int
    /// When it is given up; nil: never.
    let deadline: ContinuousClock.Instant?
    let first: Look

    /// Looks at most, each after a refusal.
    private static let attempts = 8

    /// How far a look led.
    private enum Progress {
        case done
        /// Somebody has changed one of the copies since.
        case moved
        /// The server does not take an entry.
        case refused
    }

    func run() async -> Outcome {
        var outcome = Outcome(journal: journal)
        var given: UInt64 = 0
        do throws(CopyEnd.Failure) {
            outcome.obstacle = try await carry(&given)
        } catch {
            outcome.failure = error
        }
        outcome.entries = given
        return outcome
    }

    private func carry(_ given: inout UInt64) async throws(CopyEnd.Failure) -> HeldCopy.Obstacle? {
        var look = first
        for attempt in 0..<Self.attempts {
            if attempt > 0 { look = try await lookAgain() }
            switch look.held.lack(of: look.offered) {
            case .nothing: return nil
            case .obstacle(let obstacle): return obstacle
            case .tail: break
            }
            guard let birth = look.offered.birth else { return nil }
            guard look.held.isContinued(by: look.offered, showing: look.digest) else { return .forked }
            if look.held.birth == nil { try await begin(birth) }
            switch try await carry(behind: look.held.last, through: look.offered.last, birth, &given) {
            case .done: return nil
            case .refused: return .refused
            case .moved: break
            }
        }
        return .changing
    }

    private func lookAgain() async throws(CopyEnd.Failure) -> Look {
        guard let held = try await target.copies(of: [journal]).first,
            let offered = try await source.copies(of: [journal]).first
        else { return first }
        let place = JournalCursor(journal, behind: held.last)
        let shown = try await source.ask { redis throws(FailoverFailure) in try await redis.behind([place], limit: 1) }
        return Look(held: held, offered: offered, digest: shown.first?.digest)
    }

    /// Begins a copy where there is none.
    private func begin(_ birth: String) async throws(CopyEnd.Failure) {
        _ = try await target.ask { redis throws(FailoverFailure) in
            try await redis.ask([JournalFunctions.open(journal, birth: birth)])
        }
    }

    private func carry(
        behind start: EntryID, through end: EntryID, _ birth: String, _ given: inout UInt64
    ) async throws(CopyEnd.Failure) -> Progress {
        var cursor = start
        var count = 16
        while cursor < end {
            if let deadline, ContinuousClock.now >= deadline {
                throw CopyEnd.Failure(region: target.region, failure: .unavailable("it takes too long"))
            }
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
                    throw CopyEnd.Failure(region: target.region, failure: .unavailable(reason))
                }
            }
            given += UInt64(page.count)
            cursor = page.last
            count = min(max(pageBytes / max(1, page.byteCount / max(1, page.count)), 8), 2_000)
        }
        return .done
    }
}
