/// How an inline request's line is taken apart: at white space, with quotes as in `redis-cli` (sdssplitargs of Redis' sds.c).
///
/// Inside double quotes `\n \r \t \b \a`, `\xHH` and `\` before any other byte are escapes; inside single quotes only
/// `\'` is.
struct InlineWords {
    private let bytes: [UInt8]
    private var place = 0

    /// The words of `line`, none for an empty one; of more than `limit` the first beyond it is the last that is taken.
    ///
    /// - Throws: `.unbalancedQuotes`.
    static func split(_ line: [UInt8], limit: Int) throws(RequestError) -> [[UInt8]] {
        var reader = InlineWords(bytes: line)
        var words: [[UInt8]] = []
        while words.count <= limit, let word = try reader.next() { words.append(word) }
        return words
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func next() throws(RequestError) -> [UInt8]? {
        while let byte = peek(), Self.isSpace(byte) { place += 1 }
        guard peek() != nil else { return nil }
        var word: [UInt8] = []
        while let byte = peek(), !Self.isSpace(byte) {
            place += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "'"): try quoted(by: byte, into: &word)
            default: word.append(byte)
            }
        }
        return word
    }

    /// Reads up to the closing quote, behind which the word must end.
    private mutating func quoted(by quote: UInt8, into word: inout [UInt8]) throws(RequestError) {
        while let byte = peek() {
            place += 1
            if byte == quote {
                guard peek().map(Self.isSpace) ?? true else { throw .unbalancedQuotes }
                return
            }
            if byte == UInt8(ascii: "\\") {
                escaped(in: quote, into: &word)
            } else {
                word.append(byte)
            }
        }
        throw .unbalancedQuotes
    }

    /// Reads what stands behind a `\`.
    private mutating func escaped(in quote: UInt8, into word: inout [UInt8]) {
        guard let byte = peek() else { return word.append(UInt8(ascii: "\\")) }
        if quote == UInt8(ascii: "'") {
            word.append(byte == quote ? quote : UInt8(ascii: "\\"))
            if byte == quote { place += 1 }
            return
        }
        place += 1
        switch byte {
        case UInt8(ascii: "n"): word.append(0x0a)
        case UInt8(ascii: "r"): word.append(0x0d)
        case UInt8(ascii: "t"): word.append(0x09)
        case UInt8(ascii: "b"): word.append(0x08)
        case UInt8(ascii: "a"): word.append(0x07)
        case UInt8(ascii: "x"):
            guard let high = digit(at: place), let low = digit(at: place + 1) else { return word.append(byte) }
            word.append(high << 4 | low)
            place += 2
        default: word.append(byte)
        }
    }

    private func peek() -> UInt8? { place < bytes.count ? bytes[place] : nil }

    /// The value of a hexadecimal digit.
    private func digit(at place: Int) -> UInt8? {
        guard place < bytes.count else { return nil }
        return switch bytes[place] {
        case let byte where 0x30...0x39 ~= byte: byte - 0x30
        case let byte where 0x41...0x46 ~= byte: byte - 0x37
        case let byte where 0x61...0x66 ~= byte: byte - 0x57
        default: nil
        }
    }

    /// As C's `isspace`; a NUL ends the line in Redis, here it is a byte like others.
    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || 0x09...0x0d ~= byte }
}
