/// A place in the bytes of one JSON text that moves forward over values. The bytes are given with every call.
///
/// Read is RFC 8259: values are checked whole, also those that are passed over, so that a raw slice is JSON.
struct JSONCursor {
    private(set) var offset = 0

    /// Nesting beyond this is refused, so that hostile input cannot exhaust the stack.
    private static let deepest = 32

    /// The next byte that is no white space, or 0 at the end; stands before it.
    mutating func peek(_ bytes: Span<UInt8>) -> UInt8 {
        while offset < bytes.count {
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): offset += 1
            default: return byte
            }
        }
        return 0
    }

    mutating func expect(_ byte: UInt8, _ bytes: Span<UInt8>) throws(VoiceEventError) {
        guard peek(bytes) == byte, offset < bytes.count else { throw .malformed(offset: offset) }
        offset += 1
    }

    /// Takes the byte if it is next.
    mutating func take(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
        guard peek(bytes) == byte, offset < bytes.count else { return false }
        offset += 1
        return true
    }

    /// The range between the quotes of the string that stands here, and whether it holds escapes.
    mutating func string(_ bytes: Span<UInt8>) throws(VoiceEventError) -> (range: Range<Int>, escaped: Bool) {
        try expect(UInt8(ascii: "\""), bytes)
        let start = offset
        var escaped = false
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == UInt8(ascii: "\"") {
                offset += 1
                return (start..<(offset - 1), escaped)
            }
            if byte == UInt8(ascii: "\\") {
                escaped = true
                try escape(bytes)
            } else if byte < 0x20 {
                throw .malformed(offset: offset)
            } else {
                offset += 1
            }
        }
        throw .malformed(offset: offset)
    }

    private mutating func escape(_ bytes: Span<UInt8>) throws(VoiceEventError) {
        guard offset + 1 < bytes.count else { throw .malformed(offset: offset) }
        switch bytes[offset + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 2
        case UInt8(ascii: "u"):
            guard offset + 5 < bytes.count else { throw .malformed(offset: offset) }
            for index in (offset + 2)...(offset + 5) where JSONText.hexDigit(bytes[index]) == nil {
                throw .malformed(offset: index)
            }
            offset += 6
        default:
            throw .malformed(offset: offset)
        }
    }

    /// Passes over one value and answers where it stands.
    mutating func value(_ bytes: Span<UInt8>, depth: Int = 0) throws(VoiceEventError) -> Range<Int> {
        guard depth < JSONCursor.deepest else { throw .tooDeep(offset: offset) }
        let first = peek(bytes)
        let start = offset
        switch first {
        case UInt8(ascii: "{"): try object(bytes, depth: depth)
        case UInt8(ascii: "["): try array(bytes, depth: depth)
        case UInt8(ascii: "\""): _ = try string(bytes)
        case UInt8(ascii: "t"): try word("true", bytes)
        case UInt8(ascii: "f"): try word("false", bytes)
        case UInt8(ascii: "n"): try word("null", bytes)
        default: _ = try number(bytes)
        }
        return start..<offset
    }

    private mutating func object(_ bytes: Span<UInt8>, depth: Int) throws(VoiceEventError) {
        offset += 1
        if take(UInt8(ascii: "}"), bytes) { return }
        repeat {
            _ = try string(bytes)
            try expect(UInt8(ascii: ":"), bytes)
            _ = try value(bytes, depth: depth + 1)
        } while take(UInt8(ascii: ","), bytes)
        try expect(UInt8(ascii: "}"), bytes)
    }

    private mutating func array(_ bytes: Span<UInt8>, depth: Int) throws(VoiceEventError) {
        offset += 1
        if take(UInt8(ascii: "]"), bytes) { return }
        repeat { _ = try value(bytes, depth: depth + 1) } while take(UInt8(ascii: ","), bytes)
        try expect(UInt8(ascii: "]"), bytes)
    }

    mutating func word(_ word: StaticString, _ bytes: Span<UInt8>) throws(VoiceEventError) {
        let expected = word.description.utf8
        guard bytes.count - offset >= expected.count else { throw .malformed(offset: offset) }
        for (index, byte) in expected.enumerated() where bytes[offset + index] != byte {
            throw .malformed(offset: offset)
        }
        offset += expected.count
    }

    /// Passes over a number; answers where it stands and its value when it is an integer of 64 bits.
    mutating func number(_ bytes: Span<UInt8>) throws(VoiceEventError) -> (range: Range<Int>, integer: Int64?) {
        let start = offset
        let negative = offset < bytes.count && bytes[offset] == UInt8(ascii: "-")
        if negative { offset += 1 }
        let digits = offset
        var value: Int64? = 0
        while offset < bytes.count, let digit = JSONText.decimalDigit(bytes[offset]) {
            value = JSONText.append(digit, negative: negative, to: value)
            offset += 1
        }
        guard offset > digits, offset == digits + 1 || bytes[digits] != UInt8(ascii: "0") else {
            throw .malformed(offset: start)
        }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            value = nil
            try skipDigits(bytes)
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            value = nil
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") {
                offset += 1
            }
            try skipDigits(bytes)
        }
        return (start..<offset, value)
    }

    private mutating func skipDigits(_ bytes: Span<UInt8>) throws(VoiceEventError) {
        let start = offset
        while offset < bytes.count, JSONText.decimalDigit(bytes[offset]) != nil { offset += 1 }
        if offset == start { throw .malformed(offset: offset) }
    }
}
