import NIOCore
import RESP
import Testing

@Suite("Bulk strings") struct BulkStringsTests {
    @Test("Every way to append a string gives the same wire form")
    func waysToAppend() {
        var run = BulkStrings(capacity: 64)
        run.append("foo" as String)
        run.append("foo" as StaticString)
        run.append([102, 111, 111])
        run.append(ByteBuffer(string: "foo"))
        run.append(ByteBuffer(string: "foo").readableBytesView)
        run.append(([102, 111, 111] as [UInt8]).span.bytes)
        #expect(run.count == 6)
        #expect(String(buffer: run.buffer) == String(repeating: "$3\r\nfoo\r\n", count: 6))
    }

    @Test("Lengths of one to seven digits", arguments: [0, 1, 9, 10, 99, 100, 999, 1000, 65_536, 1_000_000])
    func lengths(_ length: Int) {
        var run = BulkStrings()
        run.append([UInt8](repeating: 120, count: length))
        #expect(String(buffer: run.buffer) == "$\(length)\r\n" + String(repeating: "x", count: length) + "\r\n")
    }

    @Test("Numbers are written in decimal")
    func integers() {
        var run = BulkStrings()
        run.append(integer: 0)
        run.append(integer: -17)
        run.append(integer: UInt64.max)
        #expect(String(buffer: run.buffer) == "$1\r\n0\r\n$3\r\n-17\r\n$20\r\n18446744073709551615\r\n")
    }

    @Test("Runs are joined as they are, and forgotten")
    func joined() {
        var run = BulkStrings()
        run.append(wire: ByteBuffer(string: "$1\r\na\r\n"), count: 1)
        #expect(run == BulkStrings(wire: ByteBuffer(string: "$1\r\na\r\n"), count: 1))
        run.append(wire: ByteBuffer(string: "$1\r\nb\r\n$1\r\nc\r\n"), count: 2)
        run.append(contentsOf: BulkStrings(["d"]))
        #expect(run == BulkStrings(["a", "b", "c", "d"]))
        run.removeAll()
        #expect(run.isEmpty && run.byteCount == 0)
    }
}

@Suite("Redis command") struct RedisCommandTests {
    @Test("Words and runs are counted together and stay apart in memory")
    func wordsAndRuns() {
        let command = RedisCommand(["XADD", "s", "*"], BulkStrings(["f", "v"]), BulkStrings(["g", ""]))
        #expect(String(buffer: command.head) == "*7\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n")
        #expect(command.runs.map { String(buffer: $0.buffer) } == ["$1\r\nf\r\n$1\r\nv\r\n", "$1\r\ng\r\n$0\r\n\r\n"])
        #expect(command.byteCount == 28 + 14 + 13)
    }

    @Test("A command of words, and the time the server may wait")
    func blocking() {
        let command = RedisCommand("WAIT", "1", "500").blocking(for: .milliseconds(500))
        #expect(String(buffer: command.head) == "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$3\r\n500\r\n")
        #expect(command.blockTime == .milliseconds(500))
        #expect(RedisCommand("PING").blockTime == .zero)
    }
}
