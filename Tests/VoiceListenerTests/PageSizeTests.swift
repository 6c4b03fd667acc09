import NIOCore
import Projection
import Testing

@testable import VoiceListener

@Suite("Size of what is read at once") struct PageSizeTests {
    /// What `XREAD` answers of one stream: entries with one value of so many bytes each.
    private static func stream(_ count: Int, bytes: Int) -> StoreReply {
        let value = StoreReply.string(ByteBuffer(repeating: 97, count: bytes))
        let name = StoreReply.string(ByteBuffer(string: "n"))
        let id = StoreReply.string(ByteBuffer(string: "1-1"))
        return .array([name, .array((0..<count).map { _ in .array([id, .array([name, value])]) })])
    }

    @Test("small entries are read up to the limit, large ones in parts")
    func sizes() {
        let caution = PageSize.caution(streams: 1)
        #expect(PageSize.next(behind: [Self.stream(caution, bytes: 10)], of: caution, limit: 10_000) == 10_000)
        let some = PageSize.next(behind: [Self.stream(caution, bytes: 64 << 10)], of: caution, limit: 10_000) ?? 0
        #expect(some > caution && some * 64 << 10 <= PageSize.wantedBytes)
        #expect(PageSize.next(behind: [Self.stream(caution, bytes: 1 << 20)], of: caution, limit: 10_000) == nil)
    }

    @Test("what was found will do where there is no more, or no more is wanted")
    func enough() {
        #expect(PageSize.next(behind: [], of: 64, limit: 10_000) == nil)
        #expect(PageSize.next(behind: [Self.stream(63, bytes: 1)], of: 64, limit: 10_000) == nil)
        #expect(PageSize.next(behind: [Self.stream(64, bytes: 1)], of: 64, limit: 64) == nil)
        #expect(PageSize.next(behind: [.null, .array([])], of: 64, limit: 10_000) == nil)
    }

    @Test("streams share the bytes")
    func shared() {
        let one = PageSize.next(behind: [Self.stream(16, bytes: 8 << 10)], of: 16, limit: 10_000) ?? 0
        let two = PageSize.next(
            behind: [Self.stream(16, bytes: 8 << 10), Self.stream(1, bytes: 1)], of: 16, limit: 10_000)
        #expect(two == one / 2)
        #expect(PageSize.caution(streams: 1024) == 1)
        #expect(PageSize.caution(streams: 100_000) == 1)
    }
}
