import NIOCore
import RESP
import Testing

@testable import Projection

@Suite("Hashes as DUMP payloads", .serialized)
struct HashDumpTests {
    private static let values = [
        "", "0", "-0", "00", "7", "127", "128", "-1", "-4096", "-4097", "4095", "4096", "32767", "32768", "-32768",
        "-32769", "8388607", "8388608", "-8388608", "-8388609", "2147483647", "2147483648", "-2147483648",
        "-2147483649", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
        "99999999999999999999", "+1", "1 ", "-", "é", "a\r\nb", String(repeating: "x", count: 63),
        String(repeating: "y", count: 64),
    ]

    private func payload(_ words: [String]) -> ByteBuffer {
        let room = HashDump.room(pairs: words.count / 2, byteCount: words.reduce(0) { $0 + $1.utf8.count })
        let longest = words.map(\.utf8.count).max() ?? 0
        var buffer = ByteBuffer()
        unsafe withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { memory in
            var dump = unsafe HashDump(memory, pairs: words.count / 2, longest: longest)
            for word in words { dump.append(Array(word.utf8).span.bytes) }
            dump.finish { _ = buffer.writeBytes($0) }
        }
        return buffer
    }

    /// The listpack in a payload that is not compressed: behind type and length, which has two forms, and without the
    /// checksum over them.
    private func listpack(_ payload: ByteBuffer) -> [UInt8] {
        let bytes = Array(payload.readableBytesView)
        return Array(bytes.dropFirst(bytes[1] < 64 ? 2 : 3).dropLast(8))
    }

    @Test("Small hashes are the very bytes that Redis dumps, and RESTORE takes them")
    func small() async throws {
        try await withRedis { redis in
            try redis("CONFIG", "SET", "rdbcompression", "no")
            try redis("CONFIG", "SET", "sanitize-dump-payload", "yes")
            for count in [1, 2, 5, Self.values.count] {
                for start in 0...(Self.values.count - count) {
                    let words = Self.values[start..<(start + count)].enumerated().flatMap { ["f\($0)", $1] }
                    try redis("DEL", "h")
                    try redis.call(["HSET", "h"] + words)
                    let ours = payload(words)
                    guard case .string(let theirs) = try redis("DUMP", "h") else {
                        Issue.record("no dump")
                        return
                    }
                    #expect(listpack(ours) == listpack(theirs), "\(words)")
                    var run = BulkStrings()
                    run.append(ours)
                    try redis.call(RedisCommand(words: ["RESTORE", "r", "0"], runs: [run]))
                    #expect(try redis.hash("r") == redis.hash("h"))
                    try redis("DEL", "r")
                }
            }
        }
    }

    @Test("Large ones come back whole, in the encoding that Redis would choose", arguments: [65, 100, 20_000, 100_000])
    func large(bytes: Int) async throws {
        try await withRedis { redis in
            let long = String(repeating: "z", count: bytes)
            let wide = (0..<200).flatMap { ["column\($0)", "\($0)"] }
            for words in [["f", long, "g", "1"], wide] {
                var run = BulkStrings()
                run.append(payload(words))
                run.append("REPLACE" as StaticString)
                try redis.call(RedisCommand(words: ["RESTORE", "h", "0"], runs: [run]))
                var expected: [String: String] = [:]
                for index in stride(from: 0, to: words.count, by: 2) { expected[words[index]] = words[index + 1] }
                #expect(try redis.hash("h") == expected)
            }
        }
    }

    @Test("The checksum is the one that Redis names for 123456789")
    func checksum() {
        #expect(CRC64.of(Array("123456789".utf8).span.bytes) == 0xe9c6_d914_c4b8_d9ca)
    }
}
