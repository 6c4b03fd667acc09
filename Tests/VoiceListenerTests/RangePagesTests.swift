import NIOCore
import Projection
import Testing

@testable import VoiceListener

@Suite("Pages of a range") struct RangePagesTests {
    private static func page(_ ids: Range<Int>, bytes: Int = 1) -> [StoreReply] {
        let value = StoreReply.string(ByteBuffer(repeating: 97, count: bytes))
        return ids.map { .array([.string(ByteBuffer(string: "\($0)-0")), .array([value])]) }
    }

    @Test("a page that is not full is the last")
    func last() {
        var pages = RangePages(wanted: .max)
        let first = pages.count
        let step = pages.take(Self.page(0..<first))
        #expect(step == .read(behind: "\(first - 1)-0", count: pages.count) && pages.count == PageSize.pageLimit)
        let next = pages.take(Self.page(first..<first + 1))
        #expect(next == .done && pages.entries.count == first + 1)
        var none = RangePages(wanted: 5)
        let nothing = none.take([])
        #expect(nothing == .done)
    }

    @Test("no more are read than are wanted")
    func wanted() {
        var pages = RangePages(wanted: 70)
        #expect(RangePages(wanted: 3).count == 3)
        let first = pages.count
        _ = pages.take(Self.page(0..<first))
        #expect(pages.count == 70 - first)
        let step = pages.take(Self.page(first..<70))
        #expect(step == .done && pages.entries.count == 70)
    }

    @Test("as many entries as are sent at once are all there is, one more is too much")
    func tooMany() {
        for excess in [0, 1] {
            var pages = RangePages(wanted: .max)
            var (sent, step) = (0, RangePages.Step.read(behind: "", count: pages.count))
            while case .read = step {
                #expect(pages.count <= PageSize.pageLimit)
                let end = min(sent + pages.count, ReadCall.entryLimit + excess)
                step = pages.take(Self.page(sent..<end))
                sent = end
            }
            #expect(step == (excess == 0 ? .done : .tooMuch))
        }
    }

    @Test("pages of large entries are small, and too many bytes too much; one entry is sent whatever its size")
    func tooLarge() {
        var pages = RangePages(wanted: .max)
        let first = pages.count
        let step = pages.take(Self.page(0..<first, bytes: 128 << 10))
        #expect(step == .read(behind: "\(first - 1)-0", count: pages.count) && pages.count <= first)
        let next = pages.take(Self.page(first..<first + pages.count, bytes: 256 << 10))
        #expect(next == .tooMuch)
        var large = RangePages(wanted: 1)
        let one = large.take(Self.page(0..<1, bytes: 17 << 20))
        #expect(one == .done)
    }
}
