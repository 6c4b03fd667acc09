/// A place in PostgreSQL's write-ahead log: a byte offset, written `<high>/<low>` in hexadecimal.
package struct LSN: Hashable, Sendable {
    package let rawValue: UInt64

    /// No place: what `R` and `Y` messages carry, and "where the slot stands" when given to START_REPLICATION.
    package static let zero = LSN(0)
    package static let max = LSN(UInt64.max)

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Log bytes from `other` up to here; 0 if `other` is ahead.
    package func bytes(since other: LSN) -> UInt64 {
        rawValue > other.rawValue ? rawValue - other.rawValue : 0
    }
}

extension LSN: Comparable {
    package static func < (left: LSN, right: LSN) -> Bool { left.rawValue < right.rawValue }
}

extension LSN: LosslessStringConvertible {
    /// Reads PostgreSQL's text form, `16/B374D848`: one to eight hexadecimal digits on either side (pg_lsn_in).
    package init?(_ description: String) {
        let halves = description.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard halves.count == 2, let high = Self.half(halves[0]), let low = Self.half(halves[1]) else { return nil }
        self.init(UInt64(high) << 32 | UInt64(low))
    }

    package var description: String {
        String(rawValue >> 32, radix: 16, uppercase: true) + "/"
            + String(rawValue & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }

    private static func half(_ digits: Substring.UTF8View) -> UInt32? {
        guard (1...8).contains(digits.count) else { return nil }
        var value: UInt32 = 0
        for digit in digits {
            guard let nibble = Character(UnicodeScalar(digit)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(nibble)
        }
        return value
    }
}
