import Journal
import Testing

@testable import Mirror

@Suite("Waiting until a peer holds entries") struct AwaitedEntriesTests {
    private let first = JournalName.voice(tenant: "1", origin: "east")
    private let second = JournalName.voice(tenant: "2", origin: "east")

    private func entry(_ number: UInt64) -> EntryID { EntryID(first: number, second: 0) }

    @Test("a wait is over when the last of its journals is held that far")
    func ends() {
        var awaited = AwaitedEntries()
        awaited.began(1, for: [first: entry(5), second: entry(3)])
        #expect(awaited.acknowledged(first, upTo: entry(4)) == [])
        #expect(awaited.acknowledged(first, upTo: entry(5)) == [])
        #expect(awaited.acknowledged(second, upTo: entry(2)) == [])
        #expect(!awaited.isEmpty)
        #expect(awaited.acknowledged(second, upTo: entry(9)) == [1])
        #expect(awaited.isEmpty)
        #expect(awaited.acknowledged(second, upTo: entry(10)) == [])
    }

    @Test("of several, those end that wait for no more than is held, lowest first")
    func endsInOrder() {
        var awaited = AwaitedEntries()
        for (wait, number) in [(1, 7), (2, 3), (3, 5), (4, 5), (5, 8)] as [(Int, UInt64)] {
            awaited.began(wait, for: [first: entry(number)])
        }
        #expect(awaited.acknowledged(first, upTo: entry(7)) == [2, 3, 4, 1])
        #expect(awaited.acknowledged(first, upTo: entry(8)) == [5])
        #expect(awaited.isEmpty)
    }

    @Test("who has given up is not told, and the others are")
    func givesUp() {
        var awaited = AwaitedEntries()
        awaited.began(1, for: [first: entry(5), second: entry(5)])
        awaited.began(2, for: [first: entry(5)])
        #expect(awaited.gaveUp(1) == true)
        #expect(awaited.gaveUp(1) == false)
        #expect(awaited.acknowledged(first, upTo: entry(5)) == [2])
        #expect(awaited.gaveUp(2) == false)
        #expect(awaited.acknowledged(second, upTo: entry(5)) == [])
        #expect(awaited.isEmpty)
    }

    @Test("waits for what the peer never gets are over, and none of the others")
    func loses() {
        var awaited = AwaitedEntries()
        for (wait, number) in [(1, 3), (2, 4), (3, 6), (4, 7)] as [(Int, UInt64)] {
            awaited.began(wait, for: [first: entry(number), second: entry(1)])
        }
        #expect(awaited.lost(first, behind: entry(3), through: entry(6)) == [2, 3])
        #expect(awaited.lost(first, behind: entry(3), through: entry(6)) == [])
        #expect(awaited.acknowledged(first, upTo: entry(7)) == [])
        #expect(awaited.acknowledged(second, upTo: entry(1)) == [1, 4])
        #expect(awaited.isEmpty)
    }

    @Test("a copy that went back ends no wait, and the wait ends when it is there again")
    func goesBack() {
        var awaited = AwaitedEntries()
        awaited.began(1, for: [first: entry(5)])
        #expect(awaited.acknowledged(first, upTo: .zero) == [])
        #expect(awaited.acknowledged(first, upTo: entry(6)) == [1])
    }
}
