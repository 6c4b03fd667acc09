import NIOCore
import Testing

@testable import RESP

@Suite("Request decoder") struct RequestDecoderTests {
    /// Requests of every kind, and what they say; those without words are passed over.
    static let samples: [(wire: String, words: [String]?)] = [
        ("*1\r\n$4\r\nPING\r\n", ["PING"]),
        ("*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n", ["ECHO", "hi"]),
        ("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", ["ECHO", ""]),
        ("*2\r\n$4\r\nECHO\r\n$6\r\n\r\n*1\r\n\r\n", ["ECHO", "\r\n*1\r\n"]),
        ("*0\r\n", nil),
        ("*-1\r\n", nil),
        ("\r\n", nil),
        ("\n", nil),
        ("   \r\n", nil),
        ("PING\r\n", ["PING"]),
        ("PING\n", ["PING"]),
        ("  ECHO   hi  \r\n", ["ECHO", "hi"]),
        ("ECHO \"a b\" 'c d'\r\n", ["ECHO", "a b", "c d"]),
        ("ECHO \"\\x41\\n\\\"\\q\\xzz\" '\\'\\n'\r\n", ["ECHO", "A\n\"qxzz", "'\\n"]),
        ("ECHO \"\" a\"b\"\r\n", ["ECHO", "", "ab"]),
        ("*3\r\n$3\r\nSET\r\n$12\r\n123456789012\r\n$1\r\nv\r\n", ["SET", "123456789012", "v"]),
    ]
    static let together = samples.map(\.wire).joined()
    static let words = samples.compactMap(\.words)

    @Test("Every kind of request", arguments: samples.indices)
    func kinds(_ index: Int) throws {
        let sample = Self.samples[index]
        #expect(try decode([sample.wire]) == [sample.words].compactMap(\.self))
    }

    @Test("Requests in one piece, byte by byte, and cut at every two bytes")
    func pieces() throws {
        let bytes = Array(Self.together.utf8)
        #expect(try decode([Self.together]) == Self.words)
        #expect(try decode(bytes.map { String(decoding: [$0], as: UTF8.self) }) == Self.words)
        for first in 0...bytes.count {
            for second in stride(from: first, through: bytes.count, by: 7) {
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]]
                let texts = pieces.map { String(decoding: $0, as: UTF8.self) }
                try #require(try decode(texts) == Self.words, "cut at \(first) and \(second)")
            }
        }
    }

    @Test("Pieces that come before the first was asked for are kept in order")
    func fedAhead() throws {
        var decoder = RequestDecoder(limits: .afterAuthentication)
        for byte in Self.together.utf8 { decoder.feed(ByteBuffer(bytes: [byte])) }
        let words = try rest(of: &decoder)
        #expect(words == Self.words)
        #expect(!decoder.isInsideRequest)
    }

    @Test("What is cut off is no request yet")
    func unfinished() throws {
        for sample in Self.samples where sample.words != nil {
            var decoder = RequestDecoder(limits: .afterAuthentication)
            decoder.feed(ByteBuffer(bytes: Array(sample.wire.utf8.dropLast())))
            let early = try decoder.next()
            #expect(early == nil)
            #expect(decoder.isInsideRequest)
            decoder.feed(ByteBuffer(bytes: Array(sample.wire.utf8.suffix(1))))
            let whole = try rest(of: &decoder)
            #expect(whole == [sample.words].compactMap(\.self))
        }
    }

    @Test("What is passed over leaves nothing behind", arguments: [("\r", "\n\r"), ("*", "0\r\n*"), (" ", "\r\n ")])
    func passedOver(_ first: String, _ piece: String) throws {
        var decoder = RequestDecoder(limits: .afterAuthentication)
        decoder.feed(ByteBuffer(string: first))
        for _ in 0..<10_000 {
            let request = try decoder.next()
            try #require(request == nil)
            decoder.feed(ByteBuffer(string: piece))
        }
        let request = try decoder.next()
        #expect(request == nil && decoder.pendingBytes == 1 && decoder.heldBytes <= 64)
    }

    @Test("Nothing is held behind a request; of one that has begun its bytes, and where its words stand")
    func held() throws {
        var decoder = RequestDecoder(limits: .afterAuthentication)
        decoder.feed(ByteBuffer(string: "PING\r\nPING\r\n"))
        let first = try decoder.next()
        #expect(first == Request("PING") && decoder.heldBytes >= 6)
        let second = try decoder.next()
        #expect(second == Request("PING") && decoder.heldBytes == 0)
        decoder.feed(ByteBuffer(string: "*5000\r\n" + String(repeating: "$0\r\n\r\n", count: 4000)))
        let third = try decoder.next()
        #expect(third == nil && decoder.heldBytes >= 4000 * (6 + 16))
    }

    @Test("A request that is trimmed holds none of what came with it")
    func trimmed() throws {
        var decoder = RequestDecoder(limits: .afterAuthentication)
        let others = String(repeating: "PING\r\n", count: 5000)
        decoder.feed(ByteBuffer(string: "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n" + others))
        let first = try decoder.next()
        let request = try #require(first)
        #expect(request.heldBytes >= 30_000)
        #expect(request.trimmed == Request("ECHO", "hi") && request.trimmed.heldBytes < 1024)
        let large = String(repeating: "x", count: 50_000)
        decoder = RequestDecoder(limits: .afterAuthentication)
        decoder.feed(ByteBuffer(string: "*2\r\n$4\r\nECHO\r\n$50000\r\n\(large)\r\n"))
        let second = try decoder.next()
        let alone = try #require(second)
        #expect(alone.trimmed.heldBytes == alone.heldBytes && alone.trimmed == Request("ECHO", large))
    }

    @Test(
        "What is no request is refused with Redis' words, and for ever",
        arguments: [
            ("*x\r\n", RequestError.invalidMultibulkLength), ("*\r\n", .invalidMultibulkLength),
            ("*+1\r\n", .invalidMultibulkLength), ("*01\r\n", .invalidMultibulkLength),
            ("*99999999999999999999\r\n", .invalidMultibulkLength), ("*2147483648\r\n", .invalidMultibulkLength),
            ("*1\r\nx", .expectedBulk(found: 0x78)), ("*1\r\n*1\r\n", .expectedBulk(found: 0x2a)),
            ("*1\r\n$-1\r\n", .invalidBulkLength), ("*1\r\n$x\r\n", .invalidBulkLength),
            ("*1\r\n$99999999999999999999\r\n", .invalidBulkLength),
            ("*1\r\n$9223372036854775807\r\n", .invalidBulkLength),
            ("*1\n$4\r\nPING\r\n", .missingLineEnd), ("*1\r\n$4\r\nPINGxx", .missingLineEnd),
            ("*1\r\n$4\r\nPING\rx", .missingLineEnd), ("ECHO \"a\r\n", .unbalancedQuotes),
            ("ECHO 'a\r\n", .unbalancedQuotes), ("ECHO \"a\"b\r\n", .unbalancedQuotes),
            ("*" + String(repeating: "1", count: 64), .tooBigMultibulkCount),
            ("*1\r\n$" + String(repeating: "1", count: 64), .tooBigBulkCount),
        ] as [(String, RequestError)])
    func malformed(_ wire: String, _ expected: RequestError) throws {
        var decoder = RequestDecoder(limits: .afterAuthentication)
        decoder.feed(ByteBuffer(string: "PING\r\n" + wire))
        let before = try decoder.next()
        #expect(before == Request("PING"), "what stands before the bad bytes counts")
        #expect(throws: expected) { try decoder.next() }
        decoder.feed(ByteBuffer(string: "PING\r\n"))
        #expect(throws: expected) { try decoder.next() }
    }

    @Test("Errors in the words that Redis has for them")
    func texts() {
        #expect("\(RequestError.invalidMultibulkLength)" == "Protocol error: invalid multibulk length")
        #expect("\(RequestError.expectedBulk(found: 0x78))" == "Protocol error: expected '$', got 'x'")
        #expect("\(RequestError.expectedBulk(found: 0x0a))" == "Protocol error: expected '$', got '?'")
        #expect("\(RequestError.unauthenticatedBulkLength)" == "Protocol error: unauthenticated bulk length")
    }

    @Test(
        "Each limit, reached and crossed",
        arguments: [
            ("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "*4\r\n", RequestError.invalidMultibulkLength),
            ("a b c\r\n", "a b c d\r\n", .invalidMultibulkLength),
            ("*1\r\n$10\r\n0123456789\r\n", "*1\r\n$11\r\n", .invalidBulkLength),
            ("0123456789\r\n", "01234567890\r\n", .invalidBulkLength),
            ("*2\r\n$10\r\n0123456789\r\n$9\r\n012345678\r\n", "*2\r\n$10\r\n0123456789\r\n$10\r\n", .tooBigQuery),
            (String(repeating: " ", count: 34) + "a\r\n", String(repeating: " ", count: 37), .tooBigInline),
        ] as [(String, String, RequestError)])
    func limits(_ within: String, _ beyond: String, _ expected: RequestError) throws {
        let limits = RequestLimits(elements: 3, bulkBytes: 10, queryBytes: 37, isAuthenticated: true)
        #expect(try decode([within], limits: limits).count == 1)
        #expect(throws: expected) { try decode([beyond], limits: limits) }
        #expect(throws: expected) {
            try decode(beyond.utf8.map { String(decoding: [$0], as: UTF8.self) }, limits: limits)
        }
    }

    @Test("The limits before authentication have errors of their own, and are replaced by those after it")
    func authentication() throws {
        #expect(throws: RequestError.unauthenticatedMultibulkLength) {
            try decode(["*11\r\n"], limits: .beforeAuthentication)
        }
        #expect(throws: RequestError.unauthenticatedBulkLength) {
            try decode(["*1\r\n$16385\r\n"], limits: .beforeAuthentication)
        }
        var decoder = RequestDecoder(limits: .beforeAuthentication)
        decoder.feed(ByteBuffer(string: "PING\r\n*11\r\n" + String(repeating: "$1\r\na\r\n", count: 11)))
        let first = try decoder.next()
        #expect(first == Request("PING"))
        decoder.limits = .afterAuthentication
        let second = try decoder.next()
        #expect(second?.count == 11)
    }

    @Test(
        "Any byte changed gives requests or a refusal, never a trap", arguments: [0x00, 0x0a, 0x24, 0x2a, 0x39, 0xff])
    func flipped(_ byte: UInt8) {
        let bytes = Array(Self.together.utf8)
        for position in bytes.indices {
            var changed = bytes
            changed[position] = byte
            var decoder = RequestDecoder(limits: .beforeAuthentication)
            decoder.feed(ByteBuffer(bytes: changed))
            while let request = try? decoder.next() {
                for index in 0...request.count {
                    _ = (request[index], request.text(index), request.validText(index), request.integer(index))
                }
            }
        }
    }

    private func decode(
        _ pieces: [String], limits: RequestLimits = .afterAuthentication
    ) throws(RequestError) -> [[String]] {
        var decoder = RequestDecoder(limits: limits)
        var words: [[String]] = []
        for piece in pieces {
            decoder.feed(ByteBuffer(string: piece))
            words += try rest(of: &decoder)
        }
        return words
    }

    private func rest(of decoder: inout RequestDecoder) throws(RequestError) -> [[String]] {
        var words: [[String]] = []
        while let request = try decoder.next() {
            words.append((0..<request.count).map { request.text($0) ?? "" })
        }
        return words
    }
}

@Suite("Request") struct RequestTests {
    @Test("Words as text, as numbers, as keywords; none where there is none")
    func words() {
        let request = Request("SET", "-17", "nX", "é")
        #expect(request.count == 4 && request.text(0) == "SET" && request.text(4) == nil && request[-1] == nil)
        #expect(request.integer(1) == -17 && request.integer(0) == nil && request.integer(9) == nil)
        #expect(request.isKeyword(2, "NX") && !request.isKeyword(2, "XX") && !request.isKeyword(2, "NXX"))
        #expect(request.validText(3) == "é")
        #expect(Request(bytes: [[0xff]]).validText(0) == nil)
        #expect(Request(bytes: [[0xff]]).text(0) == "\u{fffd}")
    }

    @Test(
        "Numbers as Redis reads them",
        arguments: [
            ("0", 0), ("1", 1), ("-1", -1), ("9223372036854775807", .max), ("-9223372036854775808", .min),
            ("", nil), ("-", nil), ("-0", nil), ("00", nil), ("+1", nil), (" 1", nil), ("1 ", nil), ("1.0", nil),
            ("9223372036854775808", nil), ("-9223372036854775809", nil), ("99999999999999999999", nil),
        ] as [(String, Int64?)])
    func numbers(_ text: String, _ number: Int64?) {
        #expect(Request(text).integer(0) == number)
    }
}
