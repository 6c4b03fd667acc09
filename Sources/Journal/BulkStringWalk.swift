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
        guard let (start, length) = header() else { return nil }
        index = start + length + 2
        return start..<start + length
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
    mutating func skip(_ count: Int) -> ByteBufferView? {
        let first = index
        for _ in 0..<count {
            guard let (start, length) = header() else { return nil }
            index = start + length + 2
        }
        return view[first..<index]
    }

    private func header() -> (start: Int, length: Int)? {
        unsafe view.withUnsafeBytes { bytes in
            var cursor = index - view.startIndex
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
            return (view.startIndex + start, length)
        }
    }
}
