package import NIOCore

/// One command as a client sent it: its words, any bytes each, in the buffer they came in.
///
/// A request keeps what it came in alive, at most the query bytes that the decoder lets a client send. Who keeps a word
/// longer than the command runs copies it.
package struct Request: Sendable {
    /// The request's bytes.
    private let buffer: ByteBuffer
    /// Where each word stands, counted from the buffer's reader index.
    private let ranges: [Range<Int>]

    /// `ranges` lie inside the readable bytes of `buffer`.
    init(buffer: ByteBuffer, ranges: [Range<Int>]) {
        self.buffer = buffer
        self.ranges = ranges
    }

    /// A request of words of any bytes.
    package init(bytes words: [[UInt8]]) {
        var buffer = ByteBuffer()
        var ranges: [Range<Int>] = []
        for word in words {
            let start = buffer.writerIndex
            buffer.writeBytes(word)
            ranges.append(start..<buffer.writerIndex)
        }
        self.init(buffer: buffer, ranges: ranges)
    }

    /// A request of words in UTF-8, as if a client had sent it.
    package init(_ words: String...) {
        self.init(bytes: words.map { Array($0.utf8) })
    }

    /// How many words there are, the command's name included.
    package var count: Int { ranges.count }

    /// Bytes of all words and what stood between them.
    package var byteCount: Int { buffer.readableBytes }

    /// Memory that the request takes, all that its words share it with included, and where each of them stands.
    package var heldBytes: Int { buffer.storageCapacity + ranges.count * MemoryLayout<Range<Int>>.stride }

    /// The same words in memory of their own, for who keeps them longer than the command runs.
    package var copied: Request {
        var own = ByteBuffer()
        own.reserveCapacity(buffer.readableBytes)
        own.writeImmutableBuffer(buffer)
        return Request(buffer: own, ranges: ranges)
    }

    /// The same words; in memory of their own where they hold much that is not theirs.
    package var trimmed: Request { buffer.storageCapacity > 2 * byteCount + 1024 ? copied : self }

    /// The word at `index` (0 is the command's name), sharing the request's memory; nil where there is none.
    package subscript(index: Int) -> ByteBuffer? {
        guard ranges.indices.contains(index) else { return nil }
        let range = ranges[index]
        return buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count)
    }

    /// The word at `index` as text; nil where there is none. What is no UTF-8 is repaired: see `validText` where that matters.
    package func text(_ index: Int) -> String? {
        guard ranges.indices.contains(index) else { return nil }
        let range = ranges[index]
        return buffer.getString(at: buffer.readerIndex + range.lowerBound, length: range.count)
    }

    /// The word at `index` as text; nil where there is none or where it is not UTF-8.
    package func validText(_ index: Int) -> String? {
        guard ranges.indices.contains(index) else { return nil }
        return withBytes(index) { bytes in
            unsafe bytes.withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
        }
    }

    /// The word at `index` as a number, written as Redis writes numbers: no sign but `-`, no leading zeros, no spaces.
    package func integer(_ index: Int) -> Int64? {
        guard ranges.indices.contains(index) else { return nil }
        return withBytes(index) { DecimalInteger.parse($0) }
    }

    /// Whether the word at `index` is `keyword`, which is ASCII in upper case; case does not matter in the word.
    package func isKeyword(_ index: Int, _ keyword: StaticString) -> Bool {
        guard ranges.indices.contains(index), ranges[index].count == keyword.utf8CodeUnitCount else { return false }
        return withBytes(index) { bytes in
            unsafe bytes.withUnsafeBytes { word in
                for place in word.indices {
                    let byte = unsafe word[place]
                    let upper = 0x61...0x7a ~= byte ? byte &- 0x20 : byte
                    guard unsafe upper == keyword.utf8Start[place] else { return false }
                }
                return true
            }
        }
    }

    /// Runs `body` with the bytes of the word at `index`; without any where there is no such word.
    package func withBytes<Result>(_ index: Int, _ body: (RawSpan) -> Result) -> Result {
        let range = ranges.indices.contains(index) ? ranges[index] : 0..<0
        return body(buffer.readableBytesSpan.extracting(range))
    }
}

extension Request: Hashable {
    /// Two requests are the same when their words are.
    package static func == (left: Request, right: Request) -> Bool {
        left.count == right.count && left.ranges.indices.allSatisfy { left[$0] == right[$0] }
    }

    package func hash(into hasher: inout Hasher) {
        for index in ranges.indices { hasher.combine(self[index]) }
    }
}
