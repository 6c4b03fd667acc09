import NIOCore
import Projection
import Testing

@testable import VoiceListener

@Suite("Rounds in which consumers are given entries") struct GroupRoundsTests {
    private static func entries(_ ids: Range<Int>, bytes: Int = 1) -> [StoreReply] {
        let value = StoreReply.string(ByteBuffer(repeating: 97, count: bytes))
        return ids.map { .array([.string(ByteBuffer(string: "\($0)-0")), .array([value])]) }
    }

    @Test("a round that is not full is the last, and a stream of which nothing is said has none")
    func last() {
        var rounds = GroupRounds(streams: 2, limit: 500)
        let round = GroupRounds.Round(streams: [0, 1], count: PageSize.roundLimit / 2)
        #expect(rounds.next == round)
        rounds.took([(1, Self.entries(0..<1))], of: round)
        #expect(rounds.next == nil && rounds.found[0] == nil && rounds.found[1]?.count == 1 && !rounds.isEmpty)
    }

    @Test("no more are read of a stream than are wanted")
    func wanted() {
        let limit = PageSize.roundLimit + 3
        var rounds = GroupRounds(streams: 1, limit: limit)
        let first = GroupRounds.Round(streams: [0], count: PageSize.roundLimit)
        #expect(rounds.next == first)
        rounds.took([(0, Self.entries(0..<first.count))], of: first)
        let second = GroupRounds.Round(streams: [0], count: 3)
        #expect(rounds.next == second)
        rounds.took([(0, Self.entries(first.count..<limit))], of: second)
        #expect(rounds.next == nil && rounds.found[0]?.count == limit)
    }

    @Test("many streams take turns: none is read again before all were")
    func turns() {
        let count = PageSize.roundLimit * 2 + 1
        var rounds = GroupRounds(streams: count, limit: 2)
        var read: [Int] = []
        while let round = rounds.next, read.count <= 2 * count {
            #expect(round.streams.count * round.count <= PageSize.roundLimit)
            let entries = Self.entries(0..<round.count)
            rounds.took(round.streams.map { ($0, entries) }, of: round)
            read += round.streams
        }
        #expect(Set(read.prefix(count)).count == count)
        #expect(rounds.found.allSatisfy { $0?.count == 2 })
    }

    @Test("enough bytes end it: more is left where it is")
    func bytes() {
        var rounds = GroupRounds(streams: 1, limit: 1000)
        var given = 0
        while let round = rounds.next, given < 1000 {
            rounds.took([(0, Self.entries(given..<given + round.count, bytes: 1 << 20))], of: round)
            given += round.count
        }
        #expect(given == PageSize.roundLimit && rounds.found[0]?.count == given)
    }

    @Test("claims go on at the cursor until there are enough, or no more")
    func claims() {
        func answer(_ next: String, _ count: Int, bytes: Int = 1, gone: Int = 0) -> [StoreReply] {
            let ids = (0..<gone).map { StoreReply.string(ByteBuffer(string: "\($0)-1")) }
            let cursor = StoreReply.string(ByteBuffer(string: next))
            return [cursor, .array(Self.entries(0..<count, bytes: bytes)), .array(ids)]
        }
        let size = PageSize.roundLimit
        var rounds = AutoclaimRounds(count: 2 * size)
        #expect(rounds.next == size && rounds.cursor == nil)
        var isTaken = rounds.took(answer("40-0", size - 1, gone: 1))
        #expect(isTaken && rounds.next == size && rounds.cursor == "40-0")
        isTaken = rounds.took(answer("80-0", size))
        #expect(isTaken && rounds.next == nil)
        #expect(rounds.reply.elements.first?.text == "80-0")
        #expect(rounds.reply.elements.map(\.elements.count) == [0, 2 * size - 1, 1])
        // The end, a round that found less than it looked for, and enough bytes.
        for last in [answer("0-0", size), answer("9-0", 3), answer("9-0", size, bytes: 1 << 20)] {
            var rounds = AutoclaimRounds(count: 1000)
            isTaken = rounds.took(last)
            #expect(isTaken && rounds.next == nil)
        }
        isTaken = rounds.took([.null])
        #expect(!isTaken)
    }
}
