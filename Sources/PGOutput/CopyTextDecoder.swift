/// Reads rows of `COPY … TO STDOUT` in text format (sql-copy, "Text Format"), as a snapshot brings them.
///
/// The values have the same text forms as in a pgoutput tuple, so a snapshot row can be treated as an insert.
package struct CopyTextDecoder: Sendable {
    /// The columns of the row decoded last: `.null` or `.text`.
    package private(set) var columns: [TupleColumn] = []

    package init() {
        columns.reserveCapacity(64)
    }

    /// Reads the row that stands at `range`, with or without its line end. Escapes are undone in place: values shrink
    /// within their own bytes, which must not be read again as a row. After an error `columns` is meaningless.
    package mutating func decode(_ bytes: inout [UInt8], at range: Range<Int>) throws(PGOutputError) {
        columns.removeAll(keepingCapacity: true)
        guard range.lowerBound >= 0, range.upperBound <= bytes.count else {
            throw PGOutputError(.truncated, at: bytes.count)
        }
        var row = bytes.mutableSpan
        var end = range.upperBound
        if range.lowerBound < end, row[end - 1] == UInt8(ascii: "\n") { end -= 1 }
        var read = range.lowerBound
        while true {
            columns.append(try Self.column(in: &row, from: &read, to: end))
            guard read < end else { return }
            read += 1  // the tab
        }
    }

    /// Reads up to the next tab or the end.
    private static func column(
        in row: inout MutableSpan<UInt8>, from read: inout Int, to end: Int
    ) throws(PGOutputError) -> TupleColumn {
        let start = read
        var write = read
        while read < end {
            let byte = row[read]
            guard byte != UInt8(ascii: "\t") else { break }
            read += 1
            guard byte == UInt8(ascii: "\\") else {
                if write != read - 1 { row[write] = byte }
                write += 1
                continue
            }
            guard read < end else { throw PGOutputError(.truncated, at: read) }
            let escape = row[read]
            read += 1
            if escape == UInt8(ascii: "N"), read == start + 2, read == end || row[read] == UInt8(ascii: "\t") {
                return .null
            }
            row[write] = try unescaped(escape, at: read - 1)
            write += 1
        }
        return .text(start..<write)
    }

    /// COPY TO writes these escapes and no others.
    private static func unescaped(_ escape: UInt8, at position: Int) throws(PGOutputError) -> UInt8 {
        switch escape {
        case UInt8(ascii: "\\"): escape
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "v"): 0x0B
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "r"): 0x0D
        default: throw PGOutputError(.unknownEscape(escape), at: position)
        }
    }
}
