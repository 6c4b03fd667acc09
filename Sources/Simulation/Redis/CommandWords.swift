internal import NIOCore
internal import RESP

/// A command's words, as a server reads them from the wire.
struct CommandWords {
    private let wire: ByteBuffer
    private let ranges: [Range<Int>]

    init(_ command: RedisCommand) {
        var wire = command.head
        for run in command.runs { wire.writeImmutableBuffer(run.buffer) }
        self.wire = wire
        ranges = unsafe wire.withUnsafeReadableBytes { unsafe Self.words(in: $0) }
    }

    var count: Int { ranges.count }

    /// One word as text; empty where there is none. What is no UTF-8 is repaired.
    subscript(index: Int) -> String {
        guard ranges.indices.contains(index) else { return "" }
        return unsafe wire.withUnsafeReadableBytes { unsafe String(decoding: $0[ranges[index]], as: UTF8.self) }
    }

    /// One word as it is.
    func bytes(_ index: Int) -> [UInt8] {
        guard ranges.indices.contains(index) else { return [] }
        return unsafe wire.withUnsafeReadableBytes { unsafe Array($0[ranges[index]]) }
    }

    /// Where each bulk string stands behind the array's header.
    private static func words(in bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var next = 0
        while next < bytes.count {
            let isString = unsafe bytes[next] == UInt8(ascii: "$")
            var length = 0
            next += 1
            while next < bytes.count, unsafe bytes[next] != UInt8(ascii: "\r") {
                unsafe length = length * 10 + Int(bytes[next]) - 48
                next += 1
            }
            next += 2
            guard isString else { continue }
            guard next + length <= bytes.count else { return words }
            words.append(next..<next + length)
            next += length + 2
        }
        return words
    }
}
