/// What stands for a byte that may not stand for itself in a JSON string.
struct JSONEscape {
    /// The characters, first one lowest.
    let bytes: UInt64
    /// Two, or six of the form `\u00XX`.
    let count: Int

    /// Nil for a byte that stands for itself.
    init?(_ byte: UInt8) {
        let backslash = UInt64(UInt8(ascii: "\\"))
        guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { return nil }
        let short: UInt8? =
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): byte
            case 0x0a: UInt8(ascii: "n")
            case 0x0d: UInt8(ascii: "r")
            case 0x09: UInt8(ascii: "t")
            case 0x08: UInt8(ascii: "b")
            case 0x0c: UInt8(ascii: "f")
            default: nil
            }
        if let short {
            bytes = backslash | UInt64(short) << 8
            count = 2
        } else {
            let zeros = UInt64(UInt8(ascii: "u")) << 8 | 0x3030 << 16
            bytes = backslash | zeros | Self.hexadecimal(byte >> 4) << 32 | Self.hexadecimal(byte & 0xf) << 40
            count = 6
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt64 {
        UInt64(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
}

/// An escape sequence of a JSON string.
struct JSONEscapeSequence {
    /// What it stands for.
    let utf8: InlineArray<4, UInt8>
    let utf8Count: Int
    /// What it takes: 2, 6, or 12 for a surrogate pair.
    let byteCount: Int
}

extension RawSpan {
    /// The offset must lie inside.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self)
    }

    /// Whether `null` stands at `offset`; four bytes must be there.
    func isNull(at offset: Int) -> Bool {
        UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)) == 0x6c6c_756e
    }

    /// Offset of the first quote, backslash or control character at or behind `start`; the end where there is none.
    func firstSpecial(from start: Int) -> Int {
        var index = start
        while byteCount - index >= 8 {
            // Eight bytes are there, and `start` is no negative number: the check would say the same.
            let word = UInt64(
                littleEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
            let special = JSONWord.special(word)
            if special != 0 { return index + special.trailingZeroBitCount >> 3 }
            index += 8
        }
        while index < byteCount {
            let byte = byte(at: index)
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return index }
            index += 1
        }
        return index
    }

    /// The escape sequence whose backslash stands at `offset`.
    func escape(at offset: Int) throws(RowDataError) -> JSONEscapeSequence {
        guard byteCount - offset >= 2 else { throw RowDataError(.truncated, at: byteCount) }
        let letter = byte(at: offset + 1)
        let single: UInt8? =
            switch letter {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): letter
            case UInt8(ascii: "n"): 0x0a
            case UInt8(ascii: "r"): 0x0d
            case UInt8(ascii: "t"): 0x09
            case UInt8(ascii: "b"): 0x08
            case UInt8(ascii: "f"): 0x0c
            default: nil
            }
        if let single { return JSONEscapeSequence(utf8: [single, 0, 0, 0], utf8Count: 1, byteCount: 2) }
        let first = try codeUnit(at: offset)
        guard UTF16.isLeadSurrogate(first) else {
            guard let scalar = UnicodeScalar(first) else { throw RowDataError(.invalidEscape, at: offset) }
            return JSONEscapeSequence(scalar, byteCount: 6)
        }
        let second = try codeUnit(at: offset + 6)
        guard UTF16.isTrailSurrogate(second) else { throw RowDataError(.invalidEscape, at: offset + 6) }
        let value = 0x10000 + (UInt32(first) - 0xd800) << 10 + (UInt32(second) - 0xdc00)
        guard let scalar = UnicodeScalar(value) else { throw RowDataError(.invalidEscape, at: offset) }
        return JSONEscapeSequence(scalar, byteCount: 12)
    }

    /// The code unit of the `\u` escape, with its four digits, at `offset`.
    private func codeUnit(at offset: Int) throws(RowDataError) -> UInt16 {
        guard byteCount - offset >= 2 else { throw RowDataError(.truncated, at: byteCount) }
        guard byte(at: offset) == UInt8(ascii: "\\"), byte(at: offset + 1) == UInt8(ascii: "u") else {
            throw RowDataError(.invalidEscape, at: offset)
        }
        guard byteCount - offset >= 6 else { throw RowDataError(.truncated, at: byteCount) }
        var value: UInt16 = 0
        for index in offset + 2..<offset + 6 {
            let digit: UInt8? =
                switch byte(at: index) {
                case let byte where UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte: byte - UInt8(ascii: "0")
                case let byte where UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte: byte - UInt8(ascii: "a") + 10
                case let byte where UInt8(ascii: "A")...UInt8(ascii: "F") ~= byte: byte - UInt8(ascii: "A") + 10
                default: nil
                }
            guard let digit else { throw RowDataError(.invalidEscape, at: index) }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}

extension JSONEscapeSequence {
    fileprivate init(_ scalar: UnicodeScalar, byteCount: Int) {
        var utf8: InlineArray<4, UInt8> = [0, 0, 0, 0]
        var count = 0
        for byte in String(scalar).utf8 {
            utf8[count] = byte
            count += 1
        }
        self.init(utf8: utf8, utf8Count: count, byteCount: byteCount)
    }
}
