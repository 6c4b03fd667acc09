/// A place in a buffer that never passes `end`; every read checks first. Integers are big-endian.
///
/// The buffer is an argument of every read, because a stored span would make the cursor non-escapable.
struct ByteCursor {
    private(set) var position: Int
    let end: Int

    /// `range` must lie inside the buffer that the reads are given; `init?` says whether it does.
    init?(_ range: Range<Int>, in bytes: RawSpan) {
        guard range.lowerBound >= 0, range.upperBound <= bytes.byteCount else { return nil }
        position = range.lowerBound
        end = range.upperBound
    }

    var remaining: Int { end - position }

    @inline(__always)
    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type, in bytes: RawSpan
    ) throws(PGOutputError) -> T {
        let width = MemoryLayout<T>.size
        guard end - position >= width else { throw PGOutputError(.truncated, at: position) }
        // Safe: the check above, and any bit pattern is an integer.
        let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: T.self)
        position += width
        return T(bigEndian: value)
    }

    @inline(__always)
    mutating func byte(in bytes: RawSpan) throws(PGOutputError) -> UInt8 { try integer(UInt8.self, in: bytes) }

    mutating func lsn(in bytes: RawSpan) throws(PGOutputError) -> LSN { LSN(try integer(UInt64.self, in: bytes)) }

    mutating func timestamp(in bytes: RawSpan) throws(PGOutputError) -> PostgresTimestamp {
        PostgresTimestamp(microseconds: try integer(Int64.self, in: bytes))
    }

    /// A 16-bit count that cannot be negative.
    @inline(__always)
    mutating func count(in bytes: RawSpan) throws(PGOutputError) -> Int {
        let start = position
        let value = try integer(Int16.self, in: bytes)
        guard value >= 0 else { throw PGOutputError(.negativeLength, at: start) }
        return Int(value)
    }

    /// A 32-bit length and that many bytes.
    @inline(__always)
    mutating func lengthPrefixed(in bytes: RawSpan) throws(PGOutputError) -> Range<Int> {
        let start = position
        let length = Int(try integer(Int32.self, in: bytes))
        guard length >= 0 else { throw PGOutputError(.negativeLength, at: start) }
        guard remaining >= length else { throw PGOutputError(.truncated, at: position) }
        let range = position..<position + length
        position += length
        return range
    }

    /// Bytes up to a NUL, which is passed over.
    mutating func terminated(in bytes: RawSpan) throws(PGOutputError) -> Range<Int> {
        let start = position
        while try byte(in: bytes) != 0 {}
        return start..<position - 1
    }

    /// A NUL-terminated UTF-8 string.
    mutating func string(in bytes: RawSpan) throws(PGOutputError) -> String {
        let range = try terminated(in: bytes)
        // Safe: the range was read through this cursor, and the pointer does not leave the closure.
        let text = unsafe bytes.withUnsafeBytes { unsafe String(validating: $0[range], as: UTF8.self) }
        guard let text else { throw PGOutputError(.invalidText, at: range.lowerBound) }
        return text
    }

    func finish() throws(PGOutputError) {
        guard position == end else { throw PGOutputError(.trailingBytes, at: position) }
    }
}
