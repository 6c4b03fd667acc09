import NIOCore
import RESP
import Testing

@testable import RedisClient

@Suite("Reply views") struct RedisReplyTests {
    @Test("Each kind answers for itself and nothing else")
    func kinds() throws {
        let reply = try parse("*6\r\n$1\r\na\r\n+b\r\n-CODE why so\r\n:7\r\n$-1\r\n*1\r\n:8\r\n")
        #expect(reply.elements.map(\.kind) == [.string, .status, .error, .integer, .null, .array])
        #expect(reply.elements.map(\.string) == ["a", "b", nil, nil, nil, nil])
        #expect(reply.elements.map(\.integer) == [nil, nil, nil, 7, nil, nil])
        #expect(reply.elements.map(\.isNull) == [false, false, false, false, true, false])
        #expect(reply.elements.map(\.count) == [0, 0, 0, 0, 0, 1])
        #expect(reply[2]?.error == .server(code: "CODE", message: "why so"))
        #expect(reply[5]?[0]?.integer == 8)
        #expect(reply[6] == nil && reply[-1] == nil && reply[0]?[0] == nil)
        #expect(reply.error == nil && reply.string == nil && reply.bytes == nil)
    }

    @Test("Strings of a subtree are one slice, byte for byte those of the wire")
    func wire() throws {
        let entries =
            "*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$0\r\n\r\n*2\r\n$3\r\n1-2\r\n*2\r\n$1\r\nf\r\n$12\r\n0123456789\r\n\r\n"
        let reply = try parse("*3\r\n$3\r\nkey\r\n*2\r\n\(entries):5\r\n")
        let first = "$3\r\n1-1\r\n$1\r\nf\r\n$0\r\n\r\n"
        let second = "$3\r\n1-2\r\n$1\r\nf\r\n$12\r\n0123456789\r\n\r\n"
        let list = try #require(reply[1])
        #expect(String(buffer: list.wire) == first + second)
        #expect(list.wireCount == 6)
        #expect(list[0].map { String(buffer: $0.wire) } == first)
        #expect(list[1].map { String(buffer: $0.wire) } == second)
        let one = try #require(list[0])
        let two = try #require(list[1])
        #expect(String(buffer: one.wire(through: two)) == first + second)
        #expect(two.wire(through: one).readableBytes == 0)
        #expect(String(buffer: reply.wire) == "$3\r\nkey\r\n" + first + second)
        #expect(reply[2]?.wire.readableBytes == 0)

        var run = BulkStrings(["before"])
        run.append(wire: list.wire, count: list.wireCount)
        #expect(run == BulkStrings(["before", "1-1", "f", "", "1-2", "f", "0123456789\r\n"]))
    }

    @Test("Entries of a stream: shape, IDs and bytes")
    func entries() throws {
        let entries =
            "*4\r\n" + entry("1-1", ["a", "b"]) + entry("1-2", ["c", "d"]) + entry("2-0", ["e", "f", "g", "h"])
            + entry("3-0", [])
        let streams = try #require(try parse("*1\r\n*2\r\n$1\r\ns\r\n\(entries)").streams)
        #expect(streams.count == 1)
        let read = try #require(streams.first)
        #expect(String(buffer: read.key) == "s")
        #expect(read.entries.count == 4)
        #expect(read.entries.runs.map(\.entries) == [2, 1, 1])
        #expect(read.entries.runs.map(\.fields) == [1, 2, 0])
        #expect(read.entries.firstID.map { String(buffer: $0) } == "1-1")
        #expect(read.entries.lastID.map { String(buffer: $0) } == "3-0")
        let words = ["1-1", "a", "b", "1-2", "c", "d", "2-0", "e", "f", "g", "h", "3-0"]
        #expect(read.entries.wire == BulkStrings(words).buffer)
        #expect(read.entries.wireCount == words.count)
    }

    @Test("A read that timed out and an empty range have no entries")
    func noEntries() throws {
        #expect(try parse("*-1\r\n").streams?.isEmpty == true)
        let range = try #require(StreamEntries(try parse("*0\r\n")))
        #expect(range.isEmpty && range.runs.isEmpty && range.firstID == nil && range.lastID == nil)
        #expect(range.wire.readableBytes == 0)
    }

    @Test(
        "What is not a list of entries is not taken for one",
        arguments: [
            "+OK\r\n", ":1\r\n", "*1\r\n:1\r\n", "*1\r\n*1\r\n$1\r\na\r\n", "*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
            "*1\r\n*2\r\n$1\r\na\r\n*-1\r\n", "*1\r\n*2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n",
            "*1\r\n*2\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n:1\r\n", "*1\r\n*2\r\n*0\r\n*0\r\n", "*1\r\n*2\r\n:1\r\n*0\r\n",
            "*1\r\n*2\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n*1\r\n:1\r\n",
        ])
    func foreign(_ wire: Wire) throws {
        #expect(StreamEntries(try parse(wire.text)) == nil)
        #expect(try parse("*1\r\n*2\r\n$1\r\ns\r\n" + wire.text).streams == nil)
    }

    private func entry(_ id: String, _ strings: [String]) -> String {
        "*2\r\n\(String(buffer: BulkStrings([id]).buffer))*\(strings.count)\r\n\(String(buffer: BulkStrings(strings).buffer))"
    }

    private func parse(_ wire: String) throws -> RedisReply {
        var parser = try ReplyParser()
        var replies: [RedisReply] = []
        try parser.feed(ByteBuffer(string: wire), into: &replies)
        return try #require(replies.first)
    }
}
