package import NIOCore

extension RowDataReader.Text {
    /// Appends the text, escapes resolved, to `buffer`. `bytes` are those the reader was given.
    package func write(from bytes: RawSpan, to buffer: inout ByteBuffer) throws(RowDataError) {
        try forEachRun(in: bytes) { run in _ = buffer.writeBytes(run) }
    }

    /// Appends the text, escapes resolved, to `array`. `bytes` are those the reader was given.
    package func append(from bytes: RawSpan, to array: inout [UInt8]) throws(RowDataError) {
        try forEachRun(in: bytes) { run in
            unsafe run.withUnsafeBytes { unsafe array.append(contentsOf: $0) }
        }
    }

    /// The text, escapes resolved; ill-formed UTF-8 is repaired.
    package func string(from bytes: RawSpan) throws(RowDataError) -> String {
        var array: [UInt8] = []
        try append(from: bytes, to: &array)
        return String(decoding: array, as: UTF8.self)
    }

    /// Whether the text is `name`; false for a name written with escapes, which ours never are.
    package func equals(_ name: StaticString, in bytes: RawSpan) -> Bool {
        guard !isEscaped, range.count == name.utf8CodeUnitCount, range.upperBound <= bytes.byteCount else {
            return false
        }
        return unsafe bytes.extracting(range).withUnsafeBytes { text in
            unsafe text.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        }
    }

    private func forEachRun(in bytes: RawSpan, _ body: (RawSpan) -> Void) throws(RowDataError) {
        guard range.upperBound <= bytes.byteCount else { throw RowDataError(.truncated, at: bytes.byteCount) }
        let text = bytes.extracting(range)
        guard isEscaped else { return body(text) }
        var index = 0
        while index < text.byteCount {
            let end = text.firstSpecial(from: index)
            if end > index { body(text.extracting(index..<end)) }
            index = end
            guard index < text.byteCount else { return }
            let escape = try text.escape(at: index)
            index += escape.byteCount
            unsafe body(escape.utf8.span.bytes.extracting(0..<escape.utf8Count))
        }
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

    /// The code unit of the `\uXXXX` at `offset`.
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
