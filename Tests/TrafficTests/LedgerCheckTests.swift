import Foundation
import Journal
import Testing
import Traffic

@Suite("Ledger check: what a journal holds against what was acknowledged")
struct LedgerCheckTests {
    private struct Entry: Equatable {
        var id: EntryID
        var identity: EventIdentity?
        var digest: UInt64
    }

    private let held = (1...20).map { number in
        Entry(id: entry(UInt64(number)), identity: EventIdentity(startTime: 1, sequence: Int64(number)), digest: 7)
    }

    /// The findings of a copy holding `entries`, when the ledger has all of `held` but what `omitted` names.
    private func findings(
        _ entries: [Entry], omitted: Set<Int> = [], unanswered: Set<Int64> = [], isClosed: Bool = true,
        floor: EntryID = .zero
    ) throws -> LedgerCheck.Findings {
        let path = FileManager.default.temporaryDirectory.appending(path: "check-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var writer = try LedgerWriter(path: path)
        for (index, item) in held.enumerated() where !omitted.contains(index) {
            guard let identity = item.identity else { continue }
            try writer.acknowledged(identity, in: "j", as: item.id, digest: item.digest)
        }
        for number in unanswered {
            try writer.unanswered(EventIdentity(startTime: 1, sequence: number), in: "j", digest: 7)
        }
        if isClosed { try writer.close() } else { try writer.flush() }
        var ledger = Ledger()
        try ledger.read(path)
        var check = LedgerCheck(try #require(ledger.journals["j"]), openRuns: ledger.openRuns)
        for item in entries { check.entryRead(item.id, item.identity, digest: item.digest) }
        return check.finish(floor: floor)
    }

    @Test("an exact copy is clean")
    func exact() throws {
        let found = try findings(held)
        #expect(found.matched == 20)
        #expect(found.isClean)
    }

    @Test("a lost tail is told from losses before the end")
    func lostTail() throws {
        var found = try findings(Array(held.prefix(17)))
        #expect((found.lost, found.lostTail) == (3, 3))
        #expect(!found.isClean)
        var copy = Array(held.prefix(17))
        copy.remove(at: 4)
        found = try findings(copy)
        #expect((found.lost, found.lostTail) == (4, 3))
        // Anybody's entry says that the copy goes on to there.
        copy.append(Entry(id: entry(19), identity: nil, digest: 0))
        found = try findings(copy)
        #expect((found.lost, found.lostTail) == (4, 1))
        found = try findings([])
        #expect((found.lost, found.lostTail) == (20, 20))
    }

    @Test("each fault is told from the others")
    func faults() throws {
        var copy = held
        copy.remove(at: 5)
        #expect(try findings(copy).lost == 1)

        copy = held
        copy.append(Entry(id: entry(21), identity: held[3].identity, digest: 7))
        var found = try findings(copy)
        #expect((found.duplicated, found.matched) == (1, 20))

        copy = held
        copy.swapAt(4, 5)
        found = try findings(copy)
        #expect((found.reordered, found.lost, found.matched) == (1, 0, 19))

        copy = held
        copy[7].id = EntryID(first: 8, second: 1)
        found = try findings(copy)
        #expect((found.reordered, found.lost, found.matched) == (1, 0, 19))

        copy = held
        copy[2].digest = 8
        found = try findings(copy)
        #expect((found.altered, found.matched) == (1, 19))
        #expect(found.examples == [entry(3)])

        copy = held
        copy.append(Entry(id: entry(30), identity: EventIdentity(startTime: 1, sequence: 99), digest: 7))
        #expect(try findings(copy).invented == 1)
        copy.append(Entry(id: entry(31), identity: nil, digest: 7))
        #expect(try findings(copy).foreign == 1)
    }

    @Test("what is missing is trimmed only below the floor, and where something above the floor is there")
    func trimmed() throws {
        var copy = held
        copy.remove(at: 5)
        var found = try findings(copy, floor: entry(6))
        #expect((found.trimmed, found.lost, found.matched, found.isClean) == (1, 0, 19, true))
        found = try findings(copy, floor: entry(5))
        #expect((found.trimmed, found.lost) == (0, 1))
        // A floor that nothing stands above proves no trimming.
        found = try findings([], floor: entry(20))
        #expect((found.trimmed, found.lost) == (0, 20))
        found = try findings(Array(held.suffix(1)), floor: entry(19))
        #expect((found.trimmed, found.lost, found.matched) == (19, 0, 1))
    }

    @Test("an event whose answer never came may be there or not")
    func unanswered() throws {
        let found = try findings(held, omitted: [9], unanswered: [10, 77])
        #expect((found.unrecorded, found.matched, found.isClean) == (1, 19, true))
        #expect(try findings(held, omitted: [9]).invented == 1)
    }

    @Test("a producer killed before it wrote its last lines has invented nothing")
    func killed() throws {
        let found = try findings(held, omitted: [18, 19], isClosed: false)
        #expect((found.unrecorded, found.matched, found.isClean) == (2, 18, true))
    }

    @Test("random faults are counted exactly", arguments: 1...50 as ClosedRange<UInt64>)
    func random(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var copy: [Entry] = []
        var (lost, duplicated, altered) = (0, 0, 0)
        for item in held {
            switch random.below(8) {
            case 0: lost += 1
            case 1:
                duplicated += 1
                copy += [item, item]
            case 2:
                altered += 1
                copy.append(Entry(id: item.id, identity: item.identity, digest: item.digest + 1))
            default: copy.append(item)
            }
        }
        let found = try findings(copy)
        #expect(found.lost == lost && found.duplicated == duplicated && found.altered == altered, "seed \(seed)")
        #expect(found.reordered == 0 && found.invented == 0)
        #expect(found.matched == 20 - lost - altered)
    }

    @Test("objects against the cache")
    func provisioning() throws {
        func name(_ key: String) -> ObjectKey { ObjectKey(tenant: "1", type: "person", key: key) }
        let path = FileManager.default.temporaryDirectory.appending(path: "objects-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var writer = try LedgerWriter(path: path)
        let left: [(String, UInt64?)] = [("a", 1), ("b", 2), ("c", nil), ("d", nil), ("e", 5)]
        for (number, item) in left.enumerated() {
            let touched = [TouchedObject(name(item.0), digest: item.1)]
            try writer.committed(
                ProducedTransaction(number: Int64(number), xid: UInt32(100 + number), touched: touched))
        }
        try writer.committed(
            ProducedTransaction(
                number: 9, xid: 200, touched: [TouchedObject(name("f"), digest: 6)], isAnswered: false))
        try writer.close()
        var ledger = Ledger()
        try ledger.read(path)
        var objects = ObjectCheck(ledger)
        objects.objectRead(name("a"), digest: 1)
        objects.objectRead(name("b"), digest: 9)
        objects.objectRead(name("c"), digest: 1)
        objects.objectRead(name("other"), digest: 1)
        let found = objects.finish()
        #expect((found.matched, found.altered, found.leftOver, found.missing, found.unknown) == (2, 1, 1, 1, 1))
        #expect(found.drift == 3)
    }
}
