import NIOCore
import Testing

@testable import RedisClient

@Suite("Reply parser") struct ReplyParserTests {
    /// Replies of every kind and depth, and how they read.
    static let samples: [Sample] = [
        Sample("+OK\r\n", "OK"),
        Sample("+\r\n", ""),
        Sample("-ERR no such thing\r\n", "(error) ERR no such thing"),
        Sample(":0\r\n", "0"),
        Sample(":-9223372036854775808\r\n", "-9223372036854775808"),
        Sample("$-1\r\n", "(nil)"),
        Sample("*-1\r\n", "(nil)"),
        Sample("$0\r\n\r\n", "\"\""),
        Sample("$5\r\nhello\r\n", "\"hello\""),
        Sample("$11\r\nhello world\r\n", "\"hello world\""),
        Sample("$4\r\n\r\n\r\n\r\n", "\"\r\n\r\n\""),
        Sample("*0\r\n", "[]"),
        Sample("*3\r\n:1\r\n$-1\r\n+QUEUED\r\n", "[1, (nil), QUEUED]"),
        Sample("*2\r\n-EXECABORT x\r\n*0\r\n", "[(error) EXECABORT x, []]"),
        Sample("*2\r\n*2\r\n:1\r\n*1\r\n:2\r\n*1\r\n$1\r\na\r\n", "[[1, [2]], [\"a\"]]"),
        Sample(
            "*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$3\r\n1-2\r\n*0\r\n",
            "[[\"s\", [[\"1-1\", [\"f\", \"v\"]], [\"1-2\", []]]]]"
        ),
        Sample("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:7\r\n", "[[[[[[[7]]]]]]]"),
    ]

    static let together = samples.map(\.wire).joined()
    static let texts = samples.map(\.text)

    @Test("Every kind of reply", arguments: samples)
    func kinds(_ sample: Sample) throws {
        #expect(try parse([sample.wire]) == [sample.text])
    }

    @Test("Replies in one piece, and byte by byte")
    func pieces() throws {
        #expect(try parse([Self.together]) == Self.texts)
        #expect(try parse(Self.together.utf8.map { String(decoding: [$0], as: UTF8.self) }) == Self.texts)
    }

    @Test("Replies cut at every byte")
    func cuts() throws {
        let bytes = Array(Self.together.utf8)
        for cut in 0...bytes.count {
            let pieces = [bytes[..<cut], bytes[cut...]].map { String(decoding: $0, as: UTF8.self) }
            try #require(try parse(pieces) == Self.texts, "cut at \(cut)")
        }
    }

    @Test("What is cut off is no reply yet")
    func unfinished() throws {
        for sample in Self.samples {
            var parser = try ReplyParser()
            var replies: [RedisReply] = []
            try parser.feed(ByteBuffer(string: String(sample.wire.unicodeScalars.dropLast())), into: &replies)
            #expect(replies.isEmpty)
        }
    }

    @Test(
        "What is no reply is refused",
        arguments: [
            "hello\r\n", "HTTP/1.1 400 Bad Request\r\n", "\u{0}\u{0}\u{0}\u{0}", "%1\r\n+a\r\n:1\r\n", ":12a\r\n",
            ":99999999999999999999\r\n", "$abc\r\n", "$-2\r\n", "$99999999999999999999\r\n", "$3\r\nfooXX+OK\r\n",
            "*-2\r\n", "*4294967296\r\n", "*x\r\n", "\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ])
    func malformed(_ wire: Wire) throws {
        var parser = try ReplyParser()
        var replies: [RedisReply] = []
        #expect(throws: RedisError.self) { try parser.feed(ByteBuffer(string: "+OK\r\n" + wire.text), into: &replies) }
        #expect(replies.map(\.description) == ["OK"], "replies before the bad bytes count")
        #expect(throws: RedisError.self) { try parser.feed(ByteBuffer(string: "+OK\r\n"), into: &replies) }
        #expect(replies.count == 1)
    }

    @Test(
        "Any byte of a reply changed gives replies or a refusal, never a trap",
        arguments: [0x00, 0x0a, 0x24, 0x2a, 0x39, 0xff])
    func flipped(_ byte: UInt8) throws {
        let bytes = Array(Self.together.utf8)
        for position in bytes.indices {
            var changed = bytes
            changed[position] = byte
            var parser = try ReplyParser()
            var replies: [RedisReply] = []
            try? parser.feed(ByteBuffer(bytes: changed), into: &replies)
            for reply in replies { _ = (reply.description, reply.wire, reply.wireCount, reply.streams, reply.error) }
        }
    }

    @Test("Limits on bytes, elements and lines")
    func limits() throws {
        func refusal(_ wire: String, _ limits: ReplyParser.Limits) throws -> RedisError? {
            var parser = try ReplyParser(limits: limits)
            var replies: [RedisReply] = []
            do throws(RedisError) {
                try parser.feed(ByteBuffer(string: wire), into: &replies)
                return nil
            } catch {
                return error
            }
        }
        let limits = ReplyParser.Limits(replyBytes: 1000, replyElements: 10, lineBytes: 100)
        let many = "*100\r\n" + String(repeating: ":1\r\n", count: 20)
        #expect(try refusal(many, limits) == .tooLarge(reason: "a reply of more than 10 elements"))
        let large = "$5000\r\n" + String(repeating: "x", count: 2000)
        #expect(try refusal(large, limits) == .tooLarge(reason: "a reply of more than 1000 bytes"))
        for type in ["+", "-", ":", "*", "$"] {
            let line = type + String(repeating: "1", count: 200)
            #expect(try refusal(line, limits) == .protocolViolation(reason: "a line of more than 100 bytes"))
        }
        #expect(try refusal("$500\r\n" + String(repeating: "x", count: 300), limits) == nil)
    }

    @Test("Large strings and many small replies come out as they went in")
    func sizes() throws {
        let large = String(repeating: "0123456789", count: 200_000)
        let wire = "*2\r\n$\(large.utf8.count)\r\n\(large)\r\n:7\r\n" + String(repeating: ":1\r\n", count: 10_000)
        var parser = try ReplyParser()
        var replies: [RedisReply] = []
        var rest = ByteBuffer(string: wire)
        while let piece = rest.readSlice(length: min(rest.readableBytes, 70_001)), piece.readableBytes > 0 {
            try parser.feed(piece, into: &replies)
        }
        #expect(replies.count == 10_001)
        #expect(replies.first?[0]?.string == large)
        #expect(replies.first?[1]?.integer == 7)
        #expect(replies.dropFirst().allSatisfy { $0.integer == 1 })
    }

    private func parse(_ pieces: [String]) throws -> [String] {
        var parser = try ReplyParser()
        var replies: [RedisReply] = []
        for piece in pieces { try parser.feed(ByteBuffer(string: piece), into: &replies) }
        return replies.map(\.description)
    }
}
