/// Text in and out of JSON strings.
enum JSONText {
    static func decimalDigit(_ byte: UInt8) -> Int64? {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? Int64(byte - UInt8(ascii: "0")) : nil
    }

    static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// One more digit behind `value`, or nil when 64 bits do not hold it.
    static func append(_ digit: Int64, negative: Bool, to value: Int64?) -> Int64? {
        guard let value else { return nil }
        let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
        let (sum, overflow) =
            negative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
        return tooLarge || overflow ? nil : sum
    }

    /// The text between the quotes at `range`, whose escapes a cursor has checked.
    static func string(
        _ bytes: Span<UInt8>, _ range: Range<Int>, escaped: Bool
    ) throws(VoiceEventError) -> String {
        if escaped { return try unescaped(bytes, range) }
        do {
            return String(copying: try UTF8Span(validating: bytes.extracting(range)))
        } catch {
            throw .invalidText(offset: range.lowerBound)
        }
    }

    private static func unescaped(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(VoiceEventError) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes[index]
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                index += 1
                continue
            }
            switch bytes[index + 1] {
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0c)
            case UInt8(ascii: "n"): text.append(0x0a)
            case UInt8(ascii: "r"): text.append(0x0d)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                let (scalar, end) = try scalar(bytes, at: index, before: range.upperBound)
                text.append(contentsOf: String(Character(scalar)).utf8)
                index = end
                continue
            case let other: text.append(other)
            }
            index += 2
        }
        guard let string = String(validating: text, as: UTF8.self) else {
            throw .invalidText(offset: range.lowerBound)
        }
        return string
    }

    /// The scalar of a `\u` escape, or of two of them that are a surrogate pair, at `index`.
    private static func scalar(
        _ bytes: Span<UInt8>, at index: Int, before end: Int
    ) throws(VoiceEventError) -> (Unicode.Scalar, Int) {
        let first = codeUnit(bytes, at: index)
        if let scalar = Unicode.Scalar(first) { return (scalar, index + 6) }
        guard first < 0xdc00, index + 12 <= end, bytes[index + 6] == UInt8(ascii: "\\"),
            bytes[index + 7] == UInt8(ascii: "u")
        else { throw .invalidText(offset: index) }
        let second = codeUnit(bytes, at: index + 6)
        guard (0xdc00..<0xe000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        else { throw .invalidText(offset: index) }
        return (scalar, index + 12)
    }

    private static func codeUnit(_ bytes: Span<UInt8>, at index: Int) -> UInt32 {
        var unit: UInt32 = 0
        for offset in (index + 2)..<(index + 6) { unit = unit << 4 | (hexDigit(bytes[offset]) ?? 0) }
        return unit
    }

    /// Appends the text as a JSON string with its quotes.
    static func append(_ text: String, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                json.append(UInt8(ascii: "\\"))
                json.append(byte)
            case 0..<0x20:
                json.append(contentsOf: "\\u00".utf8)
                json.append(hexadecimal(byte >> 4))
                json.append(hexadecimal(byte & 15))
            default:
                json.append(byte)
            }
        }
        json.append(UInt8(ascii: "\""))
    }

    private static func hexadecimal(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }
}
