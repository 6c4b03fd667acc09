/// JSON's rule for text (RFC 8259, 7): quotes, backslashes and control characters are escaped, all else stands as it is.
enum JSONString {
    /// The text as a JSON string.
    static func quoted(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        let quote = UInt8(ascii: "\"")
        return unsafe bytes.withUnsafeBytes { source in
            var body = [UInt8](repeating: 0, count: source.count + (unsafe extraBytes(source)))
            _ = unsafe body.withUnsafeMutableBytes { unsafe write(source, isPlain: false, to: $0) }
            return [quote] + body + [quote]
        }
    }

    /// How many bytes longer the text gets by escaping; 0 for nearly all text.
    @inline(__always)
    static func extraBytes(_ source: UnsafeRawBufferPointer) -> Int {
        var index = 0
        while source.count - index >= 8 {
            // Safe: eight bytes are there, and any bit pattern is an integer.
            let word = unsafe source.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            guard !hasSpecial(word) else { return unsafe countExtraBytes(source, from: index) }
            index += 8
        }
        while index < source.count {
            guard unsafe !isSpecial(source[index]) else { return unsafe countExtraBytes(source, from: index) }
            index += 1
        }
        return 0
    }

    /// Writes the text escaped to the beginning of `target`, which has room for it, and answers how many bytes it took.
    /// `isPlain` says that `extraBytes` was 0.
    @inline(__always)
    static func write(
        _ source: UnsafeRawBufferPointer, isPlain: Bool, to target: UnsafeMutableRawBufferPointer
    ) -> Int {
        guard !isPlain else {
            unsafe target.copyMemory(from: source)
            return source.count
        }
        return unsafe writeEscaped(source, to: target)
    }

    /// Whether one of eight bytes is below 0x20, a quote or a backslash (Bit Twiddling Hacks, "Determine if a word has a
    /// byte less than n"). A byte from 0x80 never counts.
    @inline(__always)
    private static func hasSpecial(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let control = (word &- ones &* 0x20) & ~word
        return (control | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)) & highs != 0
    }

    @inline(__always)
    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func countExtraBytes(_ source: UnsafeRawBufferPointer, from start: Int) -> Int {
        var extra = 0
        for index in start..<source.count {
            let byte = unsafe source[index]
            guard isSpecial(byte) else { continue }
            extra += shortEscape(byte) == nil ? 5 : 1
        }
        return extra
    }

    private static func writeEscaped(
        _ source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer
    ) -> Int {
        var at = 0
        for unsafebyte in unsafe source {
            guard isSpecial(byte) else {
                unsafe target[at] = byte
                at += 1
                continue
            }
            unsafe target[at] = UInt8(ascii: "\\")
            if let letter = shortEscape(byte) {
                unsafe target[at + 1] = letter
                at += 2
            } else {
                unsafe target[at + 1] = UInt8(ascii: "u")
                unsafe target[at + 2] = UInt8(ascii: "0")
                unsafe target[at + 3] = UInt8(ascii: "0")
                unsafe target[at + 4] = UInt8(ascii: "0") + byte >> 4
                let low = byte & 0xf
                unsafe target[at + 5] = low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10
                at += 6
            }
        }
        return at
    }

    private static func shortEscape(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): byte
        case 0x08: UInt8(ascii: "b")
        case 0x09: UInt8(ascii: "t")
        case 0x0a: UInt8(ascii: "n")
        case 0x0c: UInt8(ascii: "f")
        case 0x0d: UInt8(ascii: "r")
        default: nil
        }
    }
}
