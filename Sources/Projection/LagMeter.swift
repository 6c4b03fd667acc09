internal import Journal
internal import RESP

/// How many entries of some journals are not in state yet.
///
/// A stream knows how many entries it was ever given. How many of them lie before the projection's cursor can be counted
/// only near the stream's end, or where nothing older is left; from then on, what is folded is counted. Until then the lag
/// is not known.
package struct LagMeter: Sendable {
    private struct Known: Sendable {
        /// Entries ever given up to where the projection took the journal on; negative where the stream is younger.
        var before: Int64?
        var folded: UInt64
        var lag: Int64?
    }

    private let asksAlways: Bool
    private var known: [JournalName: Known] = [:]

    /// - Parameter asksAlways: Whether to ask also about a journal that had no lag and did not move since. One that is read
    ///   again and again has none.
    package init(asksAlways: Bool = false) { self.asksAlways = asksAlways }

    /// Over all followed journals that were asked about; nil where it is unknown of one, or none was.
    package var lag: Int64? {
        guard !known.isEmpty else { return nil }
        return known.values.reduce(0 as Int64?) { sum, one in
            guard let sum, let lag = one.lag else { return nil }
            return sum &+ lag
        }
    }

    /// These journals are followed; what is known of others is forgotten.
    package mutating func follows(_ progress: [JournalProgress]) {
        let journals = Set(progress.map(\.journal))
        known = known.filter { journals.contains($0.key) }
    }

    /// Those to ask about.
    package func asked(of progress: [JournalProgress]) -> [JournalProgress] {
        asksAlways
            ? progress
            : progress.filter { one in known[one.journal].map { $0.lag != 0 || $0.folded != one.folded } ?? true }
    }

    /// A stream was ever given `added` entries, `passed` of them up to the cursor, as far as that could be counted.
    package mutating func answered(_ progress: JournalProgress, passed: Int64?, added: Int64) {
        let folded = Int64(clamping: progress.folded)
        let before = passed.map { $0 &- folded } ?? known[progress.journal]?.before
        known[progress.journal] = Known(
            before: before, folded: progress.folded, lag: before.map { max(0, added &- $0 &- folded) })
    }

    /// There is no such stream, or it cannot be asked.
    package mutating func unanswered(_ progress: JournalProgress, isAbsent: Bool) {
        known[progress.journal] = Known(
            before: isAbsent ? 0 &- Int64(clamping: progress.folded) : nil, folded: progress.folded,
            lag: isAbsent ? 0 : nil)
    }
}

extension LagMeter {
    /// Entries behind a cursor up to which the server counts them.
    private static let countedEntries = 64

    /// Asks about the journals that may lag, of those that are followed.
    package mutating func measure(
        _ progress: [JournalProgress], through store: any ProjectionStore
    ) async throws(StoreFailure) {
        follows(progress)
        let asked = asked(of: progress)
        let results = await store.run(
            asked.flatMap { one in
                [
                    JournalFunctions.passed(one.journal, cursor: one.cursor, limit: Self.countedEntries),
                    RedisCommand("XINFO", "STREAM", one.journal.key),
                ]
            })
        guard results.count == 2 * asked.count else { return }
        for (index, one) in asked.enumerated() {
            let passed = try Self.answer(results[2 * index])
            switch try Self.answer(results[2 * index + 1]) {
            case .success(let stream):
                if let added = stream.entriesAdded {
                    answered(one, passed: (try? passed.get())?.number, added: added)
                } else {
                    unanswered(one, isAbsent: false)
                }
            case .failure(let objection): unanswered(one, isAbsent: objection.isKeyMissing)
            }
        }
    }

    /// What a server objects to keeps no other journal from being measured; all else is thrown.
    private static func answer(
        _ result: Result<StoreReply, StoreFailure>
    ) throws(StoreFailure) -> Result<StoreReply, StoreFailure> {
        if case .failure(let failure) = result {
            guard case .server = failure, !failure.isFunctionMissing else { throw failure }
        }
        return result
    }
}

extension StoreReply {
    fileprivate var number: Int64? { if case .integer(let number) = self { number } else { nil } }

    /// The count in an answer to `XINFO STREAM`.
    fileprivate var entriesAdded: Int64? {
        let parts = elements
        guard let index = parts.firstIndex(where: { $0.text == "entries-added" }), index + 1 < parts.count else {
            return nil
        }
        return parts[index + 1].number
    }
}

extension StoreFailure {
    fileprivate var isKeyMissing: Bool {
        if case .server("ERR", let message) = self { message.hasPrefix("no such key") } else { false }
    }
}
