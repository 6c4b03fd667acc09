import NIOCore
import RESP
import Testing

@Suite("Reply encoder") struct ReplyEncoderTests {
    static let samples: [(reply: Reply, two: String, three: String)] = [
        (.ok, "+OK\r\n", "+OK\r\n"),
        (.simple("a\r\nb"), "+a  b\r\n", "+a  b\r\n"),
        (.error("NOPERM", "no"), "-NOPERM no\r\n", "-NOPERM no\r\n"),
        (.error(ReplyError("x\ny")), "-ERR x y\r\n", "-ERR x y\r\n"),
        (.integer(0), ":0\r\n", ":0\r\n"),
        (.integer(.max), ":9223372036854775807\r\n", ":9223372036854775807\r\n"),
        (.integer(.min), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"),
        (.bulk(ByteBuffer(string: "a\r\n")), "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"),
        (.text(""), "$0\r\n\r\n", "$0\r\n\r\n"),
        (.text("é"), "$2\r\né\r\n", "$2\r\né\r\n"),
        (.null, "$-1\r\n", "_\r\n"),
        (.nullArray, "*-1\r\n", "_\r\n"),
        (.array([]), "*0\r\n", "*0\r\n"),
        (.array([.integer(1), .array([.null])]), "*2\r\n:1\r\n*1\r\n$-1\r\n", "*2\r\n:1\r\n*1\r\n_\r\n"),
        (
            .map(["a": .integer(1), "b": .null]), "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$-1\r\n",
            "%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n_\r\n"
        ),
        (
            .pairs([.init(.text("a"), .integer(1)), .init(.text("b"), .nullArray)]),
            "*2\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n*-1\r\n", "%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n_\r\n"
        ),
        (.elements(ByteBuffer(string: ":1\r\n*0\r\n"), count: 2), "*2\r\n:1\r\n*0\r\n", "*2\r\n:1\r\n*0\r\n"),
        (.set([.simple("a")]), "*1\r\n+a\r\n", "~1\r\n+a\r\n"),
        (.push([.text("x"), .integer(1)]), "*2\r\n$1\r\nx\r\n:1\r\n", ">2\r\n$1\r\nx\r\n:1\r\n"),
        (.double(1), "$1\r\n1\r\n", ",1\r\n"),
        (.double(-0.25), "$5\r\n-0.25\r\n", ",-0.25\r\n"),
        (.double(.infinity), "$3\r\ninf\r\n", ",inf\r\n"),
        (.double(-.infinity), "$4\r\n-inf\r\n", ",-inf\r\n"),
        (.double(-.nan), "$3\r\nnan\r\n", ",nan\r\n"),
        (.boolean(true), ":1\r\n", "#t\r\n"),
        (.boolean(false), ":0\r\n", "#f\r\n"),
        (.verbatim("a\nb"), "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n"),
        (.strings(BulkStrings(["a", ""])), "*2\r\n$1\r\na\r\n$0\r\n\r\n", "*2\r\n$1\r\na\r\n$0\r\n\r\n"),
        (.fields(BulkStrings(["f", "v"])), "*2\r\n$1\r\nf\r\n$1\r\nv\r\n", "%1\r\n$1\r\nf\r\n$1\r\nv\r\n"),
    ]

    @Test("Every kind of reply in both versions", arguments: samples.indices)
    func kinds(_ index: Int) {
        let sample = Self.samples[index]
        #expect(encoded(sample.reply, .two) == sample.two)
        #expect(encoded(sample.reply, .three) == sample.three)
    }

    @Test("Numbers of every length", arguments: 0...18)
    func digits(_ zeros: Int) {
        let text = "1" + String(repeating: "0", count: zeros)
        #expect(encoded(.integer(Int64(text) ?? 0), .two) == ":\(text)\r\n")
    }

    @Test("Replies are appended")
    func appended() {
        var buffer = ByteBuffer(string: "+a\r\n")
        let encoder = ReplyEncoder(version: .two)
        encoder.encode(.integer(1), into: &buffer)
        encoder.encode(.ok, into: &buffer)
        #expect(String(buffer: buffer) == "+a\r\n:1\r\n+OK\r\n")
    }

    private func encoded(_ reply: Reply, _ version: RESPVersion) -> String {
        var buffer = ByteBuffer()
        ReplyEncoder(version: version).encode(reply, into: &buffer)
        return String(buffer: buffer)
    }
}
