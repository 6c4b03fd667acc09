import NIOCore
import Projection
import Testing

@testable import VoiceListener

@Suite("Size of what is read at once") struct PageSizeTests {
    @Test("pages are as large as may be, and smaller where little room is left")
    func sizes() {
        let most = PageSize.pageLimit
        #expect(PageSize.next(behind: 0, bytes: 0) == most)
        #expect(PageSize.next(behind: most, bytes: most * 100) == most)
        #expect(PageSize.next(behind: 12, bytes: 12 << 20) == 5)
        #expect(PageSize.next(behind: 16, bytes: 16 << 20) == 1)
        #expect(PageSize.next(behind: 1, bytes: 1 << 40) == 1)
    }

    @Test("a page of the largest entries that clients write is an answer that a worker takes of its Redis")
    func worst() {
        // A command of 1 MiB, and what Redis writes before each of its words.
        let largest = 1 << 20 + 40 * 16
        #expect(PageSize.pageLimit * largest < 64 << 20)
    }

    @Test("all journals are looked at, few enough together for large entries", arguments: [0, 1, 19, 20, 21, 256])
    func looks(count: Int) {
        let looks = PageSize.looks(of: Array(0..<count))
        #expect(looks.flatMap(\.self) == Array(0..<count))
        #expect(looks.allSatisfy { !$0.isEmpty && $0.count * 3 * (1 << 20 + 40 * 16) < 64 << 20 })
    }

    @Test("rounds of the largest entries, whatever came before, are an answer that may wait for a client")
    func rounds() {
        let largest = 1 << 20 + 40 * 16
        #expect(PageSize.round(behind: 0) == PageSize.roundLimit)
        for bytes in stride(from: 0, to: PageSize.wantedBytes, by: 100_000) {
            let count = PageSize.round(behind: bytes)
            #expect(count >= 1 && bytes + count * largest < 32 << 20)
        }
        #expect(PageSize.round(behind: 1 << 40) == 1)
    }

    @Test("bytes of a reply are those of its strings, and something for each element")
    func bytes() {
        let value = StoreReply.string(ByteBuffer(repeating: 97, count: 100))
        #expect(StoreReply.array([value, .array([value, .integer(7), .null])]).byteCount == 2 * 108 + 4 * 8)
    }
}
