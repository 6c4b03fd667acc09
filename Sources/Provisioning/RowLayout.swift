/// The columns of a relation as the members of a JSON object, written once and copied for every row.
package struct RowLayout: Sendable {
    /// `,"dbid":,"name":` …; the comma of a row's first member is overwritten by the brace.
    /// Eight bytes of padding follow the last.
    let members: [UInt8]
    /// Where each column's member ends in `members`.
    let ends: [Int]

    /// A layout of `columns` in this order.
    package init(columns: [String]) {
        var members: [UInt8] = []
        var ends: [Int] = []
        for column in columns {
            members.append(UInt8(ascii: ","))
            RowData.append(quoted: column, to: &members)
            members.append(UInt8(ascii: ":"))
            ends.append(members.count)
        }
        self.members = members + [UInt8](repeating: 0, count: 8)
        self.ends = ends
    }

    /// Number of columns.
    package var count: Int { ends.count }
}

/// The `data` field of a provisioning entry: a JSON object, column → text or null (journal.md).
package enum RowData {
    /// Appends `text` as a JSON string.
    static func append(quoted text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if let escape = JSONEscape(byte) {
                for place in 0..<escape.count { bytes.append(UInt8(truncatingIfNeeded: escape.bytes >> (8 * place))) }
            } else {
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

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

/// Eight bytes of a JSON string looked at together.
enum JSONWord {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let tops: UInt64 = 0x8080_8080_8080_8080

    /// Zero if all eight bytes stand for themselves; else the lowest set bit is the top bit of the first that does not
    /// (a quote, a backslash, a control character). Higher bits may be set wrongly.
    @inline(__always)
    static func special(_ word: UInt64) -> UInt64 {
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5c)
        let control = (word &- ones &* 0x20) & ~word
        return (((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | control) & tops
    }
}
