import Journal
import NIOCore
import Projection
import Testing

@testable import VoiceListener

@Suite("Pages of a read") struct ReadPagesTests {
    private static let limit = ReadCall.entryLimit

    private static func stream(_ name: String, behind id: UInt64 = 0) -> FeedWait.Stream {
        FeedWait.Stream(name, .voice(tenant: "1", origin: name), behind: Self.id(id))
    }

    private static func id(_ first: UInt64) -> EntryID { EntryID(first: first, second: 0) }

    private static func answer(
        _ ids: some Sequence<UInt64>, bytes: Int = 1, birth: String? = "b", floor: UInt64 = 0
    ) -> ReadPages.Answer {
        let value = StoreReply.string(ByteBuffer(repeating: 97, count: bytes))
        let entries = ids.map { StoreReply.array([.string(ByteBuffer(string: "\($0)-0")), .array([value])]) }
        return ReadPages.Answer(entries: entries, birth: birth, floor: id(floor))
    }

    /// What a stream of entries 1 to `last` has for a part.
    private static func answer(_ part: ReadPages.Part, upTo last: UInt64, bytes: Int = 1) -> ReadPages.Answer {
        let first = part.after.first + 1
        return answer(first..<max(min(first + UInt64(part.count), last + 1), first), bytes: bytes)
    }

    /// IDs that were found: `a 1-0 2-0`.
    private static func found(_ pages: ReadPages) -> [String] {
        pages.found.map { name, entries in
            ([name] + entries.compactMap { $0.elements.first?.text }).joined(separator: " ")
        }
    }

    @Test("a few entries take one page, more are read behind the last, and no more than are wanted")
    func pages() {
        var few = ReadPages(of: [Self.stream("a", behind: 7)], limit: Self.limit)
        let part = few.next
        #expect(part.map(\.after) == [Self.id(7)] && part.map(\.count) == [PageSize.pageLimit])
        var stale = few.take([Self.answer(8...9)], of: part)
        #expect(stale == nil && few.next.isEmpty && Self.found(few) == ["a 8-0 9-0"])

        var many = ReadPages(of: [Self.stream("a")], limit: PageSize.pageLimit + 5)
        let first = many.next
        stale = many.take([Self.answer(1...UInt64(PageSize.pageLimit))], of: first)
        let second = many.next
        #expect(stale == nil && second.map(\.after) == [Self.id(UInt64(PageSize.pageLimit))])
        #expect(second.map(\.count) == [5])
        // More than was asked for is not taken.
        stale = many.take([Self.answer(61...70)], of: second)
        #expect(stale == nil && many.next.isEmpty && many.found.first?.entries.count == PageSize.pageLimit + 5)
    }

    @Test("small entries before large ones make no large answer; one entry is found whatever its size")
    func uneven() {
        var pages = ReadPages(of: [Self.stream("a")], limit: Self.limit)
        var last: UInt64 = 0
        while let part = pages.next.first {
            #expect(part.count <= PageSize.pageLimit && part.after == Self.id(last))
            let bytes = last < 120 ? 10 : 1 << 20
            let stale = pages.take([Self.answer(part, upTo: 5000, bytes: bytes)], of: [part])
            guard stale == nil, part.after == Self.id(last) else { break }
            last += UInt64(part.count)
        }
        #expect(last <= 120 + UInt64(PageSize.pageLimit))
        let entries = pages.found.first?.entries ?? []
        #expect(entries.count == 120 + 15)
        #expect(entries.compactMap { $0.elements.first?.text } == (1...135).map { "\($0)-0" })

        var large = ReadPages(of: [Self.stream("a")], limit: Self.limit)
        _ = large.take([Self.answer(1...60, bytes: 17 << 20)], of: large.next)
        #expect(large.next.isEmpty && Self.found(large) == ["a 1-0"])
    }

    @Test("many streams take turns in pages of few, and each is found in order, also one that is named twice")
    func turns() {
        let names = (0..<100).map { "s\($0 / 2)" }
        var pages = ReadPages(of: names.map { Self.stream($0) }, limit: 3)
        var read: [Int] = []
        while true {
            let parts = pages.next
            guard !parts.isEmpty, read.count <= 300 else { break }
            #expect(parts.map(\.count).reduce(0, +) <= PageSize.pageLimit)
            let stale = pages.take(parts.map { Self.answer($0, upTo: 9) }, of: parts)
            #expect(stale == nil)
            read += parts.map(\.stream)
        }
        #expect(Set(read.prefix(100)).count == 100)
        #expect(Self.found(pages) == names.map { "\($0) 1-0 2-0 3-0" })
    }

    @Test("a stream that was trimmed beyond the client's place is named, behind what was found it is only not read on")
    func trimmed() {
        let streams = [Self.stream("a", behind: 5), Self.stream("b", behind: 5)]
        var pages = ReadPages(of: streams, limit: Self.limit)
        let parts = pages.next
        let stale = pages.take([Self.answer([UInt64]()), Self.answer(9...9, floor: 8)], of: parts)
        #expect(stale == streams[1])

        for start in [0, 1] as [UInt64] {
            var later = ReadPages(of: [Self.stream("a", behind: start)], limit: Self.limit)
            // From the beginning is whatever there is.
            let part = later.next
            let most = start + UInt64(PageSize.pageLimit)
            var stale = later.take([Self.answer(start + 1...most, floor: start)], of: part)
            #expect(stale == nil)
            stale = later.take([Self.answer(200...220, floor: 199)], of: later.next)
            #expect(stale == nil && later.next.isEmpty)
            #expect(later.found.first?.entries.count == PageSize.pageLimit)
        }
    }

    @Test("a stream that is born again between two pages is stale, or read from its beginning by who begins there")
    func reborn() {
        for start in [0, 1] as [UInt64] {
            let stream = Self.stream("a", behind: start)
            var pages = ReadPages(of: [stream], limit: Self.limit)
            _ = pages.take([Self.answer(start + 1...start + 60, birth: nil)], of: pages.next)
            // A mark that is drawn is no other mark.
            _ = pages.take([Self.answer(start + 61...start + 120)], of: pages.next)
            let stale = pages.take([Self.answer(200...259, birth: "c")], of: pages.next)
            #expect(stale == (start == 0 ? nil : stream))
            guard start == 0 else { continue }
            let again = pages.next
            #expect(again.map(\.after) == [.zero] && pages.found.isEmpty)
            _ = pages.take([Self.answer(3...4, birth: "c")], of: again)
            #expect(pages.next.isEmpty && Self.found(pages) == ["a 3-0 4-0"])
        }
    }

    @Test("what gets nowhere ends, and behind the highest ID there is nothing to read")
    func garbage() {
        var pages = ReadPages(of: [Self.stream("a", behind: 5)], limit: Self.limit)
        _ = pages.take([Self.answer([UInt64](repeating: 5, count: 60))], of: pages.next)
        #expect(pages.next.isEmpty && pages.found.isEmpty)
        var none = ReadPages(of: [Self.stream("a")], limit: Self.limit)
        let words = Array(repeating: StoreReply.null, count: 60)
        _ = none.take([ReadPages.Answer(entries: words, birth: nil, floor: .zero)], of: none.next)
        #expect(none.next.isEmpty && none.found.isEmpty)
        let end = FeedWait.Stream("a", .voice(tenant: "1", origin: "a"), behind: EntryID(first: .max, second: .max))
        #expect(ReadPages(of: [end], limit: 1).next.isEmpty)
    }
}
