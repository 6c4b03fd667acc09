/// What a commit writes to be known again: `bench-<number>.`
enum Marker {
    static func text(_ number: Int) -> String { "bench-\(number)." }

    /// Finds markers in bytes that come in pieces.
    struct Scanner {
        private static let head = Array("bench-".utf8)
        /// How many bytes of the head have matched.
        private var matched = 0
        private var number: Int?

        /// The numbers of the markers that end in these bytes.
        mutating func numbers(in bytes: some Sequence<UInt8>) -> [Int] {
            var found: [Int] = []
            for byte in bytes {
                if matched == Self.head.count {
                    if let digit = Self.digit(byte) {
                        number = min((number ?? 0) * 10 + digit, 1 << 40)
                        continue
                    }
                    if byte == UInt8(ascii: "."), let number { found.append(number) }
                    matched = 0
                    number = nil
                }
                if byte == Self.head[matched] {
                    matched += 1
                } else {
                    matched = byte == Self.head[0] ? 1 : 0
                }
            }
            return found
        }

        private static func digit(_ byte: UInt8) -> Int? {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? Int(byte - UInt8(ascii: "0")) : nil
        }
    }
}
