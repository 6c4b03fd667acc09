import Journal
import Provisioning
import Reconciliation
import Testing

@Suite("Repair round: what is read when, and what may be written")
struct RepairRoundTests {
    private let a = ModelDatabase.name("a")
    private let b = ModelDatabase.name("b")
    private let row = ModelDatabase.row(7)

    /// The next actions, in words.
    private func actions(_ round: inout RepairRound, at now: Duration = .zero) -> [String] {
        var words: [String] = []
        while let action = round.nextAction(now: now) {
            switch action {
            case .watch(let names): words.append("watch \(names.map(\.key))")
            case .readHorizon: words.append("horizon")
            case .readRows(let names): words.append("rows \(names.map(\.key))")
            case .readCursor: words.append("cursor")
            case .move: words.append("move")
            case .mend(let mends, let version):
                words.append("mend \(mends.map { "\($0.name.key)=\($0.row?.digest.value ?? 0)" }) \(version.lsn)")
            case .release(let names): words.append("release \(names.map(\.key))")
            }
        }
        return words
    }

    private func reading(oldest: UInt64 = 100, history: UInt64 = 3, _ rows: [ObjectName: RepairRound.Row])
        -> RepairRound.Reading
    {
        RepairRound.Reading(oldest: oldest, history: history, end: 500, rows: rows)
    }

    private func position(_ lsn: UInt64, history: UInt64 = 3) -> Position {
        Position(history: history, lsn: lsn) ?? .zero
    }

    /// A round that has watched `a` and `b` and read the horizon.
    private func watching(mends: Bool = true, _ digests: [ObjectName: ObjectDigest]) -> RepairRound {
        var round = RepairRound([.init(a), .init(b)], mends: mends, now: .zero)
        #expect(actions(&round) == [#"watch ["a", "b"]"#])
        round.watched(digests)
        #expect(actions(&round) == ["horizon"])
        round.horizonRead(100)
        #expect(actions(&round) == [#"rows ["a", "b"]"#])
        return round
    }

    @Test("one differs, one is equal: the first is written just below the log's end, the second let go")
    func mends() {
        var round = watching([a: ObjectDigest(value: 6), b: row.digest])
        round.rowsRead(reading([a: row, b: row]), now: .zero)
        #expect(actions(&round) == ["cursor"])
        round.projected(position(499), now: .zero)
        #expect(actions(&round) == ["move"])
        round.moved()
        #expect(actions(&round) == ["cursor"])
        round.projected(position(520), now: .zero)
        #expect(actions(&round) == [#"mend ["a=7"] 499"#])
        round.mended([true])
        #expect(actions(&round) == [#"release ["b"]"#])
        #expect(round.isOver && round.outcomes == [a: .mended, b: .equal])
    }

    @Test("what PostgreSQL lacks is written as gone; what changed meanwhile is unsettled; what fits nowhere drifts")
    func others() {
        var round = watching([a: ObjectDigest(value: 6)])
        round.rowsRead(reading([b: row]), now: .zero)
        _ = actions(&round)
        round.projected(position(500), now: .zero)
        #expect(actions(&round) == [#"mend ["a=0", "b=7"] 499"#])
        round.mended([false, nil])
        #expect(round.outcomes == [a: .unsettled, b: .drifted])
    }

    @Test("all equal: nothing is awaited")
    func equal() {
        var round = watching([a: row.digest])
        round.rowsRead(reading([a: row]), now: .zero)
        #expect(actions(&round) == [#"release ["a", "b"]"#])
        #expect(round.isOver && round.outcomes == [a: .equal, b: .equal])
    }

    @Test("a forced object is written though its digest is right")
    func forced() {
        var round = RepairRound([.init(a, isForced: true)], now: .zero)
        _ = actions(&round)
        round.watched([a: row.digest])
        _ = actions(&round)
        round.horizonRead(100)
        _ = actions(&round)
        round.rowsRead(reading([a: row]), now: .zero)
        _ = actions(&round)
        round.projected(position(500), now: .zero)
        #expect(actions(&round) == [#"mend ["a=7"] 499"#])
    }

    @Test("a snapshot that lacks something below the horizon is taken again, until patience is over")
    func horizon() {
        var round = watching([a: ObjectDigest(value: 6)])
        round.rowsRead(reading(oldest: 99, [a: row]), now: .zero)
        #expect(actions(&round).isEmpty)
        #expect(round.deadline == .milliseconds(20))
        #expect(actions(&round, at: .milliseconds(20)) == [#"rows ["a", "b"]"#])
        round.rowsRead(reading(oldest: 99, [a: row]), now: .seconds(10))
        #expect(actions(&round) == [#"release ["a", "b"]"#])
        #expect(round.outcomes == [a: .unsettled, b: .unsettled])
        #expect(round.trouble != nil)
    }

    @Test("a cache of a newer history than PostgreSQL's is not touched; of an older one it is awaited")
    func histories() {
        var round = watching([a: ObjectDigest(value: 6)])
        round.rowsRead(reading([a: row]), now: .zero)
        _ = actions(&round)
        round.projected(position(900, history: 2), now: .zero)
        #expect(actions(&round) == ["move"])
        round.moved()
        _ = actions(&round)
        round.projected(position(1, history: 4), now: .zero)
        #expect(actions(&round) == [#"release ["a", "b"]"#])
        #expect(round.outcomes[a] == .unsettled)
    }

    @Test("without mending: what was not touched since it was watched has drifted, the rest is unsettled")
    func judges() {
        var round = watching(mends: false, [a: ObjectDigest(value: 6)])
        round.rowsRead(reading([a: row, b: row]), now: .zero)
        _ = actions(&round)
        round.projected(position(500), now: .zero)
        #expect(actions(&round) == [#"release ["a", "b"]"#])
        round.released([true, false])
        #expect(round.isOver && round.outcomes == [a: .drifted, b: .unsettled])
    }
}
