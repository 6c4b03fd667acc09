/// Numbers as Redis reads them in requests (`string2ll` of its util.c): an optional `-`, then digits without leading zeros.
enum DecimalInteger {
    /// The number that all of `bytes` spell; nil where they spell none, or one of more than 64 bits.
    static func parse(_ bytes: RawSpan) -> Int64? {
        let count = bytes.byteCount
        guard count > 0, count <= 20 else { return nil }
        let isNegative = byte(bytes, 0) == UInt8(ascii: "-")
        let first = isNegative ? 1 : 0
        guard first < count else { return nil }
        if byte(bytes, first) == UInt8(ascii: "0") { return count == 1 ? 0 : nil }
        var value: Int64 = 0
        for index in first..<count {
            let digit = byte(bytes, index) &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            // Counted downwards, because there is one more number below zero than above.
            let (tens, isTooLong) = value.multipliedReportingOverflow(by: 10)
            let (next, isTooLarge) = tens.subtractingReportingOverflow(Int64(digit))
            guard !isTooLong, !isTooLarge else { return nil }
            value = next
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    /// `index` lies inside `bytes`; the load traps where it does not.
    @inline(__always)
    private static func byte(_ bytes: RawSpan, _ index: Int) -> UInt8 {
        unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }
}
