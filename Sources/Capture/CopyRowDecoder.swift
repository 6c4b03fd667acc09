internal import PGOutput

/// Reads rows as COPY … TO STDOUT prints them: values between tabs, `\N` for NULL, escapes with backslashes (sql-copy,
/// "Text Format").
struct CopyRowDecoder: Sendable {
    /// The columns of the row decoded last, as ranges of the bytes it was decoded from.
    private(set) var columns: [TupleColumn] = []

    /// Reads the row that stands at `range`, a newline at its end. Escapes are resolved in place: the row's bytes change.
    /// False for what is no row.
    mutating func decode(_ bytes: UnsafeMutableRawBufferPointer, at range: Range<Int>) -> Bool {
        columns.removeAll(keepingCapacity: true)
        guard range.lowerBound >= 0, range.upperBound <= bytes.count, var end = Optional(range.upperBound),
            end > range.lowerBound, unsafe bytes[end - 1] == UInt8(ascii: "\n")
        else { return false }
        end -= 1
        var read = range.lowerBound
        while true {
            guard let column = unsafe column(bytes, &read, end) else { return false }
            columns.append(column)
            guard read < end else { return true }
            read += 1  // the tab
        }
    }

    /// Reads up to the next tab or the end.
    private func column(_ bytes: UnsafeMutableRawBufferPointer, _ read: inout Int, _ end: Int) -> TupleColumn? {
        let start = read
        var write = read
        while read < end {
            let byte = unsafe bytes[read]
            guard byte != UInt8(ascii: "\t") else { break }
            read += 1
            guard byte == UInt8(ascii: "\\") else {
                if write != read - 1 { unsafe bytes[write] = byte }
                write += 1
                continue
            }
            guard read < end else { return nil }
            let letter = unsafe bytes[read]
            read += 1
            if letter == UInt8(ascii: "N"), read == start + 2 {
                guard unsafe read == end || bytes[read] == UInt8(ascii: "\t") else { return nil }
                return .null
            }
            unsafe bytes[write] = Self.value(ofEscape: letter)
            write += 1
        }
        return .text(start..<write)
    }

    private static func value(ofEscape letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0c
        case UInt8(ascii: "n"): 0x0a
        case UInt8(ascii: "r"): 0x0d
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "v"): 0x0b
        default: letter
        }
    }
}
