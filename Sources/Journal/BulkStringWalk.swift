internal import Glibc
internal import NIOCore

/// Walks over `$<length>\r\n<bytes>\r\n…`; gives nil at the end and at the first malformed string.
struct BulkStringWalk {
    private let view: ByteBufferView
    private var index: Int

    init(_ view: ByteBufferView) {
        self.view = view
        index = view.startIndex
    }

    var offset: Int { index - view.startIndex }

    /// The next string, without header and end.
    mutating func next() -> ByteBufferView? { nextRange().map { view[$0] } }

    /// Where the next string stands, without header and end.
    mutating func nextRange() -> Range<Int>? {
        let start = view.startIndex
        guard let found = unsafe view.withUnsafeBytes({ unsafe Self.string(in: $0, at: index - start) }) else {
            return nil
        }
        index = start + found.upperBound + 2
        return start + found.lowerBound..<start + found.upperBound
    }

    /// Whether the string that stands at `range` is `text`.
    func holds(_ text: StaticString, at range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        return unsafe view.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress.map { unsafe $0 + (range.lowerBound - view.startIndex) }
            return unsafe start.map { unsafe memcmp($0, text.utf8Start, range.count) == 0 } ?? true
        }
    }

    /// The next `count` strings as they stand.
    mutating func skip(_ count: Int) -> ByteBufferView? { skipRange(count).map { view[$0] } }

    /// Where the next `count` strings stand, headers and ends included.
    mutating func skipRange(_ count: Int) -> Range<Int>? {
        let start = view.startIndex
        let end = unsafe view.withUnsafeBytes { bytes -> Int? in
            var cursor = index - start
            for _ in 0..<count {
                guard let found = unsafe Self.string(in: bytes, at: cursor) else { return nil }
                cursor = found.upperBound + 2
            }
            return cursor
        }
        guard let end else { return nil }
        defer { index = start + end }
        return index..<start + end
    }

    /// Where the string stands whose header begins at `offset`.
    @inline(__always)
    private static func string(in bytes: UnsafeRawBufferPointer, at offset: Int) -> Range<Int>? {
        var cursor = offset
        guard cursor < bytes.count, unsafe bytes[cursor] == UInt8(ascii: "$") else { return nil }
        cursor += 1
        var length = 0
        while cursor < bytes.count, unsafe bytes[cursor] != UInt8(ascii: "\r") {
            let digit = unsafe Int(bytes[cursor]) - 48
            guard digit >= 0, digit <= 9, length <= bytes.count else { return nil }
            length = length * 10 + digit
            cursor += 1
        }
        let start = cursor + 2
        guard start <= bytes.count, length <= bytes.count - start - 2 else { return nil }
        return start..<start + length
    }
}
