import Journal
import NIOCore
import RESP
import Synchronization
import Testing

@testable import RESPServer
@testable import VoiceListener

@Suite("News of the voice port") struct VoiceNewsTests {
    private static let head = "5\r\n$5\r\nvoice\r\n:3\r\n$2\r\neu\r\n"

    private static func entry(_ id: Int) -> String { "$3\r\n\(id)-0\r\n*2\r\n$1\r\nn\r\n$1\r\n\(id)\r\n" }

    @Test("each entry is a push in RESP3, and an array in RESP2")
    func entries() throws {
        let ids: [EntryID] = [EntryID(first: 6, second: 0), EntryID(first: 7, second: 0)]
        let read = try #require(FeedTalk.batch("eu", behind: EntryID(first: 5, second: 0), ids))
        let push = Push(voice: try EntryChunk(read.batch), watch: 3, region: "eu")
        let (six, seven) = (Self.head + Self.entry(6), Self.head + Self.entry(7))
        #expect(String(buffer: push.wire(.three)) == ">" + six + ">" + seven)
        #expect(String(buffer: push.wire(.two)) == "*" + six + "*" + seven)
    }

    @Test("that events may be missing is one")
    func stale() {
        let push = Push(voice: nil, watch: 3, region: "eu")
        #expect(String(buffer: push.wire(.three)) == ">" + Self.head + "$5\r\nSTALE\r\n_\r\n")
        #expect(String(buffer: push.wire(.two)) == "*" + Self.head + "$5\r\nSTALE\r\n$-1\r\n")
    }

    @Test("what no client of RESP2 gets is not made for one")
    func lazy() {
        let made = Mutex(0)
        let push = Push(three: ByteBuffer(string: "three")) {
            made.withLock { $0 += 1 }
            return ByteBuffer(string: "two")
        }
        #expect(String(buffer: push.wire(.three)) == "three")
        let before = made.withLock { $0 }
        #expect(String(buffer: push.wire(.two)) == "two")
        let behind = made.withLock { $0 }
        #expect(before == 0 && behind == 1)
    }
}
