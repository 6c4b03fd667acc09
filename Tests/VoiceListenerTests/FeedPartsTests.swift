import Journal
import NIOCore
import Projection
import RESP
import Testing

@testable import VoiceListener

@Suite("Parts of the voice port's feed") struct FeedPartsTests {
    private static func chunk(behind previous: UInt64, _ ids: ClosedRange<UInt64>) throws -> EntryChunk {
        let read = FeedTalk.batch(
            "eu", behind: EntryID(first: previous, second: 0), ids.map { EntryID(first: $0, second: 0) })
        return try EntryChunk(try #require(read).batch)
    }

    @Test("recent entries: every place and limit", arguments: 0...UInt64(12))
    func places(after: UInt64) throws {
        var recent = RecentEntries(behind: .zero)
        recent.append(try Self.chunk(behind: 0, 1...4))
        recent.append(try Self.chunk(behind: 4, 5...5))
        recent.append(try Self.chunk(behind: 5, 7...10))
        let all: [UInt64] = [1, 2, 3, 4, 5, 7, 8, 9, 10]
        for limit in 0...12 {
            let wanted = Array(all.filter { $0 > after }.prefix(limit))
            let found = recent.entries(behind: EntryID(first: after, second: 0), limit: limit)
            #expect(found.count == wanted.count)
            let lines = String(buffer: found.wire).split(separator: "\r\n").filter { $0.hasSuffix("-0") }
            #expect(lines == wanted.map { "\($0)-0" })
        }
    }

    @Test("recent entries: as many as there is room for, and nothing behind a part of a chunk")
    func bytes() throws {
        var recent = RecentEntries(behind: .zero)
        recent.append(try Self.chunk(behind: 0, 1...4))
        recent.append(try Self.chunk(behind: 4, 5...5))
        recent.append(try Self.chunk(behind: 5, 6...9))
        // All entries are of one size.
        let size = recent.entries(behind: .zero, limit: 1).wire.readableBytes
        for after in 0...UInt64(9) {
            for bytes in 0...10 * size {
                let found = recent.entries(behind: EntryID(first: after, second: 0), bytes: bytes)
                let count = min(bytes / size, 9 - Int(after))
                #expect(found.count == count && found.wire.readableBytes == count * size)
            }
        }
    }

    @Test("recent entries go with their chunks, the oldest first")
    func trims() throws {
        var recent = RecentEntries(behind: .zero)
        for id in UInt64(1)...10 { recent.append(try Self.chunk(behind: id - 1, id...id)) }
        let one = recent.byteCount / 10
        recent.trim(to: 3 * one + one / 2 + 20)
        #expect(recent.base == EntryID(first: 7, second: 0))
        #expect(recent.reaches(EntryID(first: 7, second: 0)) && !recent.reaches(EntryID(first: 6, second: .max)))
        recent.trim(to: 0)
        #expect(recent.byteCount == 0 && recent.base == recent.last)
        #expect(recent.entries(behind: .zero).count == 0)
    }

    @Test("a batch that does not hold what it says is refused, wherever it is cut")
    func malformed() throws {
        let batch = try #require(
            FeedTalk.batch("eu", behind: .zero, [EntryID(first: 1, second: 0), EntryID(first: 2, second: 0)])
        ).batch
        for length in 0..<batch.byteCount {
            let cut = batch.strings.buffer.getSlice(at: batch.strings.buffer.readerIndex, length: length)
            let strings = BulkStrings(wire: try #require(cut), count: batch.strings.count)
            let broken = EntryBatch(previous: batch.previous, last: batch.last, strings: strings, shape: batch.shape)
            #expect(throws: EntryBatch.Malformed.self) { try EntryChunk(broken) }
        }
    }

    @Test("deadlines are over in their hundredth, and not before")
    func deadlines() {
        var deadlines = Deadlines()
        deadlines.add(1, at: .milliseconds(100))
        deadlines.add(2, at: .milliseconds(101))
        deadlines.add(3, at: .seconds(3_000_000_000))
        #expect(deadlines.next == .milliseconds(100))
        #expect(deadlines.take(upTo: .milliseconds(99)) == [])
        #expect(deadlines.take(upTo: .milliseconds(100)) == [1])
        #expect(deadlines.next == .milliseconds(110))
        deadlines.remove(2, at: .milliseconds(101))
        deadlines.remove(2, at: .milliseconds(101))
        #expect(deadlines.take(upTo: .seconds(1)) == [])
        #expect(deadlines.next == .seconds(3_000_000_000))
    }

    static let wrong = [
        ("XREAD COUNT x STREAMS a 0", "ERR value is not an integer or out of range"),
        ("XREAD BLOCK x STREAMS a 0", "ERR timeout is not an integer or out of range"),
        ("XREAD BLOCK -1 STREAMS a 0", "ERR timeout is negative"),
        ("XREAD BLOCK 9223372036854775808 STREAMS a 0", "ERR timeout is not an integer or out of range"),
        ("XREAD foo a 0", "ERR syntax error"),
        ("XREAD BLOCK 1 COUNT 1", "ERR syntax error"),
        ("XREAD STREAMS a b", "ERR Invalid stream ID specified as stream command argument"),
        ("XREAD STREAMS a -", "ERR Invalid stream ID specified as stream command argument"),
        ("XREAD STREAMS a 5-", "ERR Invalid stream ID specified as stream command argument"),
        ("XREAD STREAMS a 18446744073709551616", "ERR Invalid stream ID specified as stream command argument"),
        (
            "XREAD STREAMS a b 0",
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
        ),
        (
            "XREAD STREAMS a >",
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
        ),
        (
            "XREAD GROUP g c STREAMS a 0",
            "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
        ),
        ("XREAD NOACK STREAMS a 0", "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."),
        ("XREADGROUP COUNT 1 BLOCK 1 STREAMS a >", "ERR Missing GROUP option for XREADGROUP"),
    ]

    @Test("calls that are none", arguments: wrong)
    func wrongCalls(line: String, error: String) {
        #expect(Self.refusal(line) == error)
    }

    @Test("calls and what they ask for")
    func calls() throws {
        let call = try Self.call("xread count 5 block 250 streams a b $ 7-1")
        #expect(call.limit == 5 && call.block == .milliseconds(250))
        #expect(call.streams.map(\.name) == ["a", "b"])
        #expect(call.streams.map(\.start) == [.new, .behind(EntryID(first: 7, second: 1))])
        #expect(try Self.call("XREAD COUNT 0 STREAMS a 0").limit == ReadCall.entryLimit)
        #expect(try Self.call("XREAD COUNT 9223372036854775807 STREAMS a 0").limit == ReadCall.entryLimit)
        #expect(try Self.call("XREAD BLOCK 9223372036854775807 STREAMS a 0").block == .zero)
        #expect(try Self.call("XREAD STREAMS a 0").block == nil)
        let group = try Self.call("XREADGROUP GROUP g c NOACK STREAMS a >")
        #expect(group.group?.name == "g" && !group.acknowledges && group.streams.map(\.start) == [.undelivered])
        #expect(group.limit == ReadCall.groupLimit)
        let two = try Self.call("XREADGROUP GROUP g c COUNT 10000 STREAMS a b > >")
        #expect(two.limit == ReadCall.groupLimit / 2)
    }

    @Test("more streams than may be named")
    func tooManyStreams() throws {
        let names = Array(repeating: "a", count: ReadCall.streamLimit)
        let ids = Array(repeating: "0", count: ReadCall.streamLimit)
        let most = try Self.call((["XREAD", "COUNT", "10000", "STREAMS"] + names + ids).joined(separator: " "))
        #expect(most.limit == ReadCall.totalLimit / ReadCall.streamLimit)
        let line = (["XREAD", "STREAMS", "a"] + names + ids + ["0"]).joined(separator: " ")
        #expect(Self.refusal(line) == "LIMIT more than \(ReadCall.streamLimit) streams")
    }

    @Test("a client that waits names fewer streams, each once")
    func waitedStreams() throws {
        let names = (1...ReadCall.waitingStreamLimit).map { "s\($0)" }
        let ids = Array(repeating: "0", count: ReadCall.waitingStreamLimit)
        let most = try Self.call((["XREAD", "BLOCK", "0", "STREAMS"] + names + ids).joined(separator: " "))
        #expect(most.streams.count == ReadCall.waitingStreamLimit)
        let line = (["XREAD", "BLOCK", "0", "STREAMS", "a"] + names + ids + ["0"]).joined(separator: " ")
        #expect(Self.refusal(line) == "LIMIT more than \(ReadCall.waitingStreamLimit) streams with BLOCK")
        let twice = "ERR the same stream twice with BLOCK"
        #expect(Self.refusal("XREAD BLOCK 0 STREAMS a b a 0 0 1") == twice)
        #expect(Self.refusal("XREADGROUP GROUP g c BLOCK 1 STREAMS a a > >") == twice)
        #expect(Self.refusal("XREAD STREAMS a a 0 1").isEmpty)
    }

    @Test("errors name streams as the client does, and hide what is the worker's own trouble")
    func errors() {
        let names = [(key: "rs:{1}:voice:eu", name: "voice:1@eu")]
        let message = "No such key 'rs:{1}:voice:eu' or 'rs:{1}:voice:eu'"
        let noGroup = StoreFailure.server(code: "NOGROUP", message: message)
        #expect(
            ReplyError(noGroup, names: names).description
                == "NOGROUP No such key 'voice:1@eu' or 'voice:1@eu'")
        for (code, message) in [
            ("LOADING", ""), ("READONLY", ""), ("NOPERM", "No permissions to access key rs:{1}:voice:eu"),
            ("NOAUTH", ""), ("ERR", "unknown command 'XINFO', with args beginning with: 'STREAM' 'rs:{1}:voice:eu' "),
            ("ERR", "something about 'rs:{1}:voice:us'"),
        ] {
            let told = ReplyError(.server(code: code, message: message), names: names)
            #expect(told.code == "UNAVAILABLE", "\(code)")
            for hidden in ["rs:", "NOPERM", "NOAUTH"] { #expect(!told.message.contains(hidden), "\(told)") }
        }
        #expect(ReplyError(.unreachable("10.0.0.1:6379")) == .unavailable)
    }

    @Test("what Redis refuses of one journal is that one's trouble, and what it cannot do now everybody's")
    func looks() {
        func look(_ code: String) -> StreamLook {
            StreamLook(
                newest: .success(.array([])), meta: .success(.array([])),
                info: .failure(.server(code: code, message: "no")), behind: .zero)
        }
        func lookAtMark(_ code: String) -> StreamLook {
            StreamLook(
                newest: .success(.array([])), meta: .failure(.server(code: code, message: "no")),
                info: .success(.array([])), behind: .zero)
        }
        let noRight = ReplyError(
            code: "UNAVAILABLE", message: "the region's Redis does not let the worker do this")
        #expect(look("WRONGTYPE") == .refused(ReplyError(code: "WRONGTYPE", message: "no")))
        #expect(look("NOPERM") == .refused(noRight) && lookAtMark("NOPERM") == .refused(noRight))
        let wrongMark = ReplyError(code: "UNAVAILABLE", message: "the region's Redis refuses: WRONGTYPE")
        #expect(lookAtMark("WRONGTYPE") == .refused(wrongMark))
        for code in ["LOADING", "NOAUTH", "MASTERDOWN"] {
            #expect(look(code) == .unreachable && lookAtMark(code) == .unreachable, "\(code)")
        }
        let lost = StreamLook(
            newest: .success(.array([])), meta: .success(.null), info: .failure(.unreachable("lost")), behind: .zero)
        #expect(lost == .unreachable)
    }

    @Test("a read that Redis refuses is answered; one that it does not answer is everybody's trouble")
    func outcomes() {
        for code in ["NOPERM", "MISCONF", "READONLY", "LOADING"] {
            guard case .found(.error(let error)) = StreamReading.Outcome(.server(code: code, message: ""), names: [])
            else {
                Issue.record("\(code)")
                continue
            }
            #expect(error.code == "UNAVAILABLE")
        }
        guard case .unavailable = StreamReading.Outcome(.unreachable("closed"), names: []) else {
            Issue.record("a connection that is lost")
            return
        }
    }

    private static func call(_ line: String) throws(ReplyError) -> ReadCall {
        let request = Request(bytes: line.split(separator: " ").map { Array($0.utf8) })
        return try ReadCall(request, isGroup: request.isKeyword(0, "XREADGROUP"))
    }

    /// What a client is told of a call; nothing of one that is right.
    private static func refusal(_ line: String) -> String {
        do throws(ReplyError) {
            _ = try call(line)
            return ""
        } catch {
            return error.description
        }
    }
}
