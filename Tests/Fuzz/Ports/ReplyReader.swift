/// Counts replies, of either version of RESP, and sees whether they are well formed.
struct ReplyReader {
    private enum Failure: Error {
        /// The bytes end inside a reply.
        case cut
        case malformed
    }

    private static let deepest = 16

    private let bytes: [UInt8]
    private var place = 0
    private(set) var isWellFormed = true

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Whether no part of a reply is left.
    var isAtEnd: Bool { place == bytes.count }

    /// How many whole replies there are; pushes are none.
    mutating func count() -> Int {
        var count = 0
        while place < bytes.count {
            let start = place
            do throws(Failure) {
                if try readElement(depth: 0) { count += 1 }
            } catch {
                if error == .malformed { isWellFormed = false }
                place = start
                break
            }
        }
        return count
    }

    /// False for a push.
    private mutating func readElement(depth: Int) throws(Failure) -> Bool {
        guard depth < Self.deepest else { throw .malformed }
        guard place < bytes.count else { throw .cut }
        let type = bytes[place]
        place += 1
        let line = try readLine()
        switch type {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ","), UInt8(ascii: "("): break
        case UInt8(ascii: "_"): guard line.isEmpty else { throw .malformed }
        case UInt8(ascii: "#"): guard line == "t" || line == "f" else { throw .malformed }
        case UInt8(ascii: ":"): guard Int64(line) != nil else { throw .malformed }
        case UInt8(ascii: "$"):
            guard let length = Int(line), length >= -1 else { throw .malformed }
            if length >= 0 { try skip(length) }
        case UInt8(ascii: "="):
            // The format and a colon come first.
            guard let length = Int(line), length >= 4 else { throw .malformed }
            try skip(length)
        case UInt8(ascii: "*") where line == "-1": break
        case UInt8(ascii: "*"), UInt8(ascii: "~"): try readElements(line, each: 1, depth: depth)
        case UInt8(ascii: ">"):
            guard depth == 0 else { throw .malformed }
            try readElements(line, each: 1, depth: depth)
            return false
        case UInt8(ascii: "%"): try readElements(line, each: 2, depth: depth)
        default: throw .malformed
        }
        return true
    }

    private mutating func readElements(_ line: String, each factor: Int, depth: Int) throws(Failure) {
        guard let count = Int(line), 0...1_000_000 ~= count else { throw .malformed }
        for _ in 0..<count * factor { _ = try readElement(depth: depth + 1) }
    }

    /// A line without its end, in which no other end of a line may stand.
    private mutating func readLine() throws(Failure) -> String {
        let rest = bytes[place...]
        guard let end = rest.firstIndex(where: { $0 == 0x0d || $0 == 0x0a }), end + 1 < bytes.count else { throw .cut }
        guard bytes[end] == 0x0d, bytes[end + 1] == 0x0a else { throw .malformed }
        place = end + 2
        return String(decoding: rest[..<end], as: UTF8.self)
    }

    private mutating func skip(_ length: Int) throws(Failure) {
        guard place + length + 2 <= bytes.count else { throw .cut }
        guard bytes[place + length] == 0x0d, bytes[place + length + 1] == 0x0a else { throw .malformed }
        place += length + 2
    }
}
