import Journal
import Provisioning
import Reconciliation
import Testing
import Traffic

@Suite("Confirm and repair, by seed")
struct RepairSimulationTests {
    private static let keys = (0..<6).map { "k\($0)" }

    /// One run: traffic, projection, tampering and repairs in any order; every write of a repair is checked as it is made.
    private struct Run {
        var database = ModelDatabase()
        var random: SplitMix64
        var now = Duration.zero
        /// Nothing but the projection goes on.
        var isCalm = false
        var written = 0
        var refused = 0
        var token = 0

        init(seed: UInt64) { random = SplitMix64(seed: seed) }

        mutating func step() {
            now += .milliseconds(1)
            guard !isCalm else { return database.project() }
            let open = database.transactions.indices.filter { database.transactions[$0].lsn == nil }
            let ending = database.transactions.indices.filter {
                database.transactions[$0].lsn != nil && !database.transactions[$0].isOver
            }
            switch Int.random(in: 0..<20, using: &random) {
            case 0, 1: if open.count < 4 { database.begin() }
            case 2...5:
                guard let index = open.randomElement(using: &random), let key = keys.randomElement(using: &random),
                    !database.isLocked(key, for: index)
                else { return }
                database.write(index, key, deletes: Int.random(in: 0..<3, using: &random) == 0)
            case 6...8: if let index = open.randomElement(using: &random) { database.commit(index) }
            case 9...12: if let index = ending.randomElement(using: &random) { database.finish(index) }
            case 13: tamper()
            default: database.project()
            }
        }

        private mutating func tamper() {
            guard let key = keys.randomElement(using: &random) else { return }
            switch Int.random(in: 0..<3, using: &random) {
            case 0: database.cache[key] = nil
            case 1: database.cache[key]?.value += 1_000_000
            default: database.cache[key] = (2_000_000, database.cache[key]?.version ?? 0)
            }
        }

        private var keys: [String] { RepairSimulationTests.keys }

        /// One round over these keys, with as many steps of everything else in between as may be.
        mutating func repair(_ keys: [String], steps: ClosedRange<Int>) throws -> RepairRound {
            token += 1
            var round = RepairRound(
                keys.map { RepairRound.Candidate(ModelDatabase.name($0)) }, patience: .milliseconds(300), now: now)
            while !round.isOver {
                for _ in 0..<Int.random(in: steps, using: &random) { step() }
                now += .milliseconds(1)
                guard let action = round.nextAction(now: now) else { continue }
                switch action {
                case .watch(let names):
                    var digests: [ObjectName: ObjectDigest] = [:]
                    for name in names {
                        database.watches[name.key] = token
                        digests[name] = database.cache[name.key].map { ObjectDigest(value: $0.value) }
                    }
                    round.watched(digests)
                case .readHorizon: round.horizonRead(database.nextXID)
                case .readRows(let names):
                    let (oldest, rows) = (database.oldest, database.rows(names))
                    for _ in 0..<Int.random(in: steps, using: &random) { step() }
                    round.rowsRead(.init(oldest: oldest, history: 1, end: database.end, rows: rows), now: now)
                case .readCursor: round.projected(database.cursor, now: now)
                case .move:
                    database.begin()
                    let index = database.transactions.count - 1
                    database.commit(index)
                    database.finish(index)
                    round.moved()
                case .mend(let mends, let version): round.mended(mends.map { mend($0, version) })
                case .release(let names):
                    round.released(
                        names.map { name in
                            guard database.watches[name.key] == token else { return false }
                            database.watches[name.key] = nil
                            return true
                        })
                }
            }
            return round
        }

        private mutating func mend(_ mend: RepairRound.Mend, _ version: Position) -> Bool {
            let key = mend.name.key
            guard database.watches[key] == token else {
                refused += 1
                return false
            }
            database.watches[key] = nil
            written += 1
            // Neither older nor newer than what the projection has made of it.
            #expect(mend.row?.digest.value == database.due(key), "\(key)")
            #expect(version.lsn < database.end)
            database.cache[key] = mend.row.map { ($0.digest.value, version.lsn) }
            return true
        }

        /// Everything commits and is projected.
        mutating func calm() {
            isCalm = true
            for index in database.transactions.indices {
                if database.transactions[index].lsn == nil { database.commit(index) }
                if !database.transactions[index].isOver { database.finish(index) }
            }
            while database.cursor.lsn != database.transactions[database.log[database.log.count - 1]].lsn {
                database.project()
            }
        }
    }

    @Test("a repair never writes what is not due, whatever overlaps; in calm it mends all", arguments: 1...40)
    func simulation(seed: Int) throws {
        var run = Run(seed: UInt64(seed))
        for _ in 0..<60 { run.step() }
        for _ in 0..<25 {
            let keys = Self.keys.shuffled(using: &run.random).prefix(Int.random(in: 1...6, using: &run.random))
            let steps = [0...2, 0...12, 0...40].randomElement(using: &run.random) ?? 0...2
            _ = try run.repair(Array(keys), steps: steps)
        }
        run.calm()
        let round = try run.repair(Self.keys, steps: 1...3)
        #expect(round.outcomes.values.allSatisfy { $0 == .mended || $0 == .equal })
        for key in Self.keys { #expect(run.database.cache[key]?.value == run.database.due(key), "seed \(seed) \(key)") }
    }

    @Test("seeds meet objects that change while they are looked at, and mend others in the middle of it all")
    func refuses() throws {
        var (refused, written) = (0, 0)
        for seed in 1...40 {
            var run = Run(seed: UInt64(seed))
            for _ in 0..<60 { run.step() }
            for _ in 0..<25 { _ = try run.repair(Self.keys, steps: 0...12) }
            refused += run.refused
            written += run.written
        }
        #expect(refused > 0 && written > 0)
    }
}
