import Journal
import Testing

@testable import Mirror

@Suite("Gaps in a copy") struct EntryGapsTests {
    private func entry(_ number: Int) -> EntryID { EntryID(first: UInt64(number), second: 0) }

    /// Those of the entries 0 to 99 that may be lacking.
    private func lacking(_ gaps: EntryGaps) -> [Int] { (0..<100).filter { gaps.contain(entry($0)) } }

    @Test("a gap has no entry that it is behind, and has the one it goes through; none is none")
    func ends() {
        var gaps = EntryGaps()
        #expect(lacking(gaps) == [])
        gaps.found(behind: entry(3), through: entry(5))
        gaps.found(behind: entry(7), through: entry(7))
        gaps.found(behind: entry(9), through: entry(8))
        #expect(lacking(gaps) == [4, 5])
    }

    @Test("gaps that touch are one, in whatever order they are found")
    func touch() {
        let found = [(20, 22), (3, 5), (10, 12), (5, 10), (21, 30), (2, 4)]
        for shift in found.indices {
            var gaps = EntryGaps()
            for (behind, through) in found[shift...] + found[..<shift] {
                gaps.found(behind: entry(behind), through: entry(through))
            }
            #expect(lacking(gaps) == Array(3...12) + Array(21...30))
        }
    }

    @Test("of many, the oldest are taken for one, and none is forgotten")
    func bounded() {
        var gaps = EntryGaps()
        let limit = EntryGaps.limit
        for number in 0...limit { gaps.found(behind: entry(4 * number), through: entry(4 * number + 1)) }
        #expect(lacking(gaps) == Array(1...5) + (2...limit).map { 4 * $0 + 1 })
    }
}
