import Journal
import Testing
import Traffic

@testable import ConfigListener

@Suite("Provisioning journals are told in order")
struct ProvisioningReadingTests {
    private let east = ScriptedJournals.east
    private let west = ScriptedJournals.west

    @Test("What each kind of entry is told as", arguments: [1, 2, 100])
    func kinds(count: Int) throws {
        var journals = ScriptedJournals()
        journals.add(
            east, 10,
            [
                "insert 101 person 7 {}", "put 101 person 8 {}", "patch 101 person 9 {}", "delete 101 person 7",
                "unreadable",
            ])
        journals.add(east, 20, ["begin-snapshot diff", "put 101 skill 1 {}", "delete 101 skill 2"])
        journals.add(east, 30, ["begin-snapshot due"])
        journals.add(east, 40, ["truncate skill", "insert 102 skill 3 {}"])
        journals.add(east, 50, ["begin-snapshot", "put 101 person 1 {}", "put 101 person 2 {}"])
        journals.add(east, 60, [])
        #expect(
            try journals.told(behind: .zero, upTo: 60, count: count) == [
                "10-1 ObjectCreated 101 person 7 {}", "10-2 ObjectUpdated 101 person 8 {}",
                "10-3 ObjectUpdated 101 person 9 {}", "10-4 ObjectDeleted 101 person 7", "10 closed",
                "20-2 ObjectUpdated 101 skill 1 {}", "20-3 ObjectDeleted 101 skill 2", "20 closed", "30 closed",
                "40 reload skill", "40-2 ObjectCreated 102 skill 3 {}", "40 closed", "50 reload all", "60 closed",
            ])
    }

    @Test("What was never closed is not told, wherever the journal goes on or ends", arguments: [1, 2, 100])
    func unclosed(count: Int) throws {
        var journals = ScriptedJournals()
        journals.add(east, 10, ["insert 101 person 1 {}", "insert 101 person 2 {}"], isClosed: false)
        journals.add(east, 20, ["insert 101 person 3 {}"])
        journals.add(west, 30, ["insert 101 person 4 {}"])
        journals.add(east, 25, ["insert 101 person 5 {}", "insert 101 person 6 {}"], isClosed: false)
        #expect(
            try journals.told(behind: .zero, upTo: 30, count: count) == [
                "20-1 ObjectCreated 101 person 3 {}", "20 closed", "30-1 ObjectCreated 101 person 4 {}", "30 closed",
            ])
    }

    @Test("Nothing behind the bound is told", arguments: [1, 2, 100])
    func bound(count: Int) throws {
        var journals = ScriptedJournals()
        journals.add(east, 10, ["insert 101 person 1 {}"])
        journals.add(west, 15, ["insert 101 person 2 {}"])
        journals.add(east, 20, ["insert 101 person 3 {}"])
        #expect(
            try journals.told(behind: .zero, upTo: 15, count: count) == [
                "10-1 ObjectCreated 101 person 1 {}", "10 closed", "15-1 ObjectCreated 101 person 2 {}", "15 closed",
            ])
    }

    @Test(
        "By seed: two journals, in pages of any size, behind every entry, up to every position",
        arguments: (1 as UInt64)...20)
    func seeds(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var journals = ScriptedJournals()
        var expected: [(id: EntryID, line: String)] = []
        var bounds: [UInt64] = []
        for number in 1...UInt64(12) {
            let journal = Bool.random(using: &random) ? east : west
            let isClosed = Int.random(in: 0..<5, using: &random) > 0
            let changes = (0..<Int.random(in: 0...6, using: &random)).map { index in
                ["insert 101 person \(index) {}", "put 101 person \(index) {}", "delete 101 person \(index)"]
                    .randomElement(using: &random) ?? ""
            }
            journals.add(journal, number * 10, changes, isClosed: isClosed)
            bounds.append(number * 10)
            guard isClosed else { continue }
            for (index, change) in changes.enumerated() {
                let words = change.split(separator: " ")
                let kind = ["insert": "Created", "put": "Updated", "delete": "Deleted"][words[0]] ?? ""
                let id = EntryID(first: number * 10, second: UInt64(index + 1))
                expected.append((id, "\(id) Object\(kind) \(words.dropFirst().joined(separator: " "))"))
            }
            expected.append((EntryID(first: number * 10, second: .max), "\(number * 10) closed"))
        }
        let places = [EntryID.zero] + expected.map(\.id)
        for bound in bounds {
            for place in places where place.first <= bound {
                let wanted = expected.filter { $0.id > place && $0.id.first <= bound }.map(\.line)
                let count = Int.random(in: 1...8, using: &random)
                let told = try journals.told(behind: place, upTo: bound, count: count)
                // Behind the last change of a transaction its end is still to be told.
                #expect(told == wanted, "seed \(seed), behind \(place), up to \(bound), \(count) a read")
            }
        }
    }
}

@Suite("Histories that end")
struct ProjectedHistoriesTests {
    private func position(_ history: UInt64, _ lsn: UInt64) throws -> Position {
        try #require(Position(history: history, lsn: lsn))
    }

    @Test("A reader goes on up to where a history was projected when the next began, and then there")
    func next() throws {
        var histories = ProjectedHistories()
        #expect(histories.way(behind: .zero) == .wait)
        histories.reached(try position(1, 50))
        let first = try position(1, 0).entryID(ordinal: 0)
        #expect(histories.way(behind: try position(0, 0).lastEntryID) == .jump(to: first))
        #expect(histories.way(behind: try position(1, 0).entryID(ordinal: 0)) == .read(upTo: try position(1, 50)))
        #expect(histories.way(behind: try position(1, 50).lastEntryID) == .wait)
        #expect(histories.way(behind: try position(1, 90).lastEntryID) == .wait)
        histories.reached(try position(3, 7))
        #expect(histories.way(behind: try position(1, 20).lastEntryID) == .read(upTo: try position(1, 50)))
        #expect(histories.way(behind: try position(1, 50).entryID(ordinal: 3)) == .read(upTo: try position(1, 50)))
        #expect(
            histories.way(behind: try position(1, 50).lastEntryID) == .jump(to: try position(3, 0).entryID(ordinal: 0)))
        #expect(histories.way(behind: try position(1, 51).lastEntryID) == .lost)
        #expect(histories.way(behind: try position(2, 1).lastEntryID) == .lost)
        #expect(histories.way(behind: try position(4, 1).lastEntryID) == .wait)
    }

    @Test("Where a history before this worker's ended is not known")
    func unknown() throws {
        var histories = ProjectedHistories()
        histories.reached(try position(2, 7))
        #expect(histories.way(behind: try position(1, 20).lastEntryID) == .lost)
        #expect(histories.way(behind: try position(0, 0).lastEntryID) == .lost)
    }

    @Test("A projection that was set back waits for where it was")
    func setBack() throws {
        var histories = ProjectedHistories()
        histories.reached(try position(1, 50))
        histories.reached(try position(1, 20))
        #expect(histories.way(behind: try position(1, 50).lastEntryID) == .wait)
        histories.reached(try position(1, 60))
        #expect(histories.way(behind: try position(1, 50).lastEntryID) == .read(upTo: try position(1, 60)))
    }

    @Test(arguments: [("10", "10"), ("10-3", "10-3"), ("0", "0")])
    func places(text: String, shown: String) {
        #expect(EntryID(place: text)?.placeText == shown)
    }

    @Test(arguments: ["", "-", "x", "10-", "-3", "1-2-3", "18446744073709551616"])
    func noPlaces(text: String) { #expect(EntryID(place: text) == nil) }
}

@Suite("Looks at history")
struct ProvisioningHistoryTests {
    private func event(_ position: UInt64, _ ordinal: UInt64, _ key: String) -> ProvisioningReading.Step {
        .event(
            ProvisioningEvent(
                id: EntryID(first: position, second: ordinal), kind: .deleted,
                name: .init(tenant: "101", type: "person", key: key), data: nil))
    }

    private func look(_ count: Int, _ steps: [ProvisioningReading.Step], type: String? = nil) -> ProvisioningHistory {
        var history = ProvisioningHistory(tenant: "101", type: type, count: count, behind: .zero)
        history.take(steps, upTo: Position(number: 99).lastEntryID)
        return history
    }

    private func keys(_ history: ProvisioningHistory) -> String { history.events.map(\.name.key).joined() }

    @Test("Transactions stay together, also one that is larger than was asked for")
    func together() {
        let steps = [
            event(10, 1, "a"), event(10, 2, "b"), .closed(Position(number: 10)), event(20, 1, "c"), event(20, 2, "d"),
            .closed(Position(number: 20)),
        ]
        for (count, expected, place) in [(1, "ab", "10"), (2, "ab", "10"), (3, "ab", "10"), (4, "abcd", "20")] {
            let history = look(count, steps)
            #expect(keys(history) == expected && history.place.placeText == place && history.isFull)
        }
        let all = look(5, steps)
        #expect(keys(all) == "abcd" && all.place.placeText == "99" && !all.isFull)
    }

    @Test("One that is too large for a reply is cut, and gone on with within it")
    func large() {
        let count = UInt64(ProvisioningHistory.eventLimit)
        let steps = (1...count + 5).map { event(10, $0, "x") } + [.closed(Position(number: 10))]
        let history = look(10, steps)
        #expect(history.events.count == ProvisioningHistory.eventLimit)
        #expect(history.place.placeText == "10-\(count)" && history.isFull)
    }

    @Test("What names no objects is told at once, or behind what stands before it")
    func reloads() {
        let reload = ProvisioningReading.Step.reload(Position(number: 20), type: "skill")
        let steps = [event(10, 1, "a"), .closed(Position(number: 10)), reload, event(30, 1, "b")]
        let before = look(9, steps)
        #expect(keys(before) == "a" && before.place.placeText == "10" && !before.isStale)
        #expect(look(9, [reload]).isStale)
        let other = look(9, steps, type: "person")
        #expect(keys(other) == "ab" && !other.isStale)
    }
}
