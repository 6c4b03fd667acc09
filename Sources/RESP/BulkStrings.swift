package import NIOCore

/// A run of RESP bulk strings exactly as they stand on the wire: `$3\r\nfoo\r\n$0\r\n\r\n`.
///
/// Both sides of a Redis connection write strings this way, so a run taken out of a reply can be put into a command as
/// it is. https://redis.io/docs/latest/develop/reference/protocol-spec/#bulk-strings
package struct BulkStrings: Hashable, Sendable {
    /// The strings in wire form, one behind the other.
    package private(set) var buffer: ByteBuffer
    /// How many strings `buffer` holds.
    package private(set) var count: Int

    /// An empty run.
    package init() {
        buffer = ByteBuffer()
        count = 0
    }

    /// An empty run with room for `capacity` bytes in wire form.
    package init(capacity: Int) {
        buffer = ByteBufferAllocator().buffer(capacity: capacity)
        count = 0
    }

    /// A run of strings that already have wire form, such as a slice of a reply; shares its memory.
    ///
    /// - Parameters:
    ///   - wire: Whole bulk strings. They are not looked at: the caller vouches for them.
    ///   - count: How many they are.
    package init(wire: ByteBuffer, count: Int) {
        buffer = wire
        self.count = count
    }

    /// A run of these strings.
    package init(_ strings: some Sequence<String>) {
        self.init()
        for string in strings { append(string) }
    }

    /// Bytes on the wire.
    package var byteCount: Int { buffer.readableBytes }

    package var isEmpty: Bool { count == 0 }

    /// Forgets the strings and keeps the memory, where nobody else holds it.
    package mutating func removeAll() {
        buffer.clear()
        count = 0
    }
}

extension BulkStrings {
    /// Appends one string, in UTF-8.
    package mutating func append(_ string: String) {
        appendHeader(byteCount: string.utf8.count)
        buffer.writeString(string)
        appendEnd()
    }

    /// Appends one string known when compiling.
    package mutating func append(_ string: StaticString) {
        appendHeader(byteCount: string.utf8CodeUnitCount)
        buffer.writeStaticString(string)
        appendEnd()
    }

    /// Appends one string of any bytes.
    package mutating func append(_ bytes: [UInt8]) {
        appendHeader(byteCount: bytes.count)
        buffer.writeBytes(bytes)
        appendEnd()
    }

    /// Appends one string of any bytes.
    package mutating func append(_ bytes: ByteBufferView) {
        appendHeader(byteCount: bytes.count)
        buffer.writeBytes(bytes)
        appendEnd()
    }

    /// Appends the readable bytes as one string.
    package mutating func append(_ bytes: ByteBuffer) {
        appendHeader(byteCount: bytes.readableBytes)
        buffer.writeImmutableBuffer(bytes)
        appendEnd()
    }

    /// Appends one string of any bytes.
    package mutating func append(_ bytes: RawSpan) {
        appendHeader(byteCount: bytes.byteCount)
        unsafe bytes.withUnsafeBytes { pointer in _ = unsafe buffer.writeBytes(pointer) }
        appendEnd()
    }

    /// Appends a number in decimal, as Redis expects numbers.
    package mutating func append(integer: some BinaryInteger) {
        append(String(integer))
    }

    /// Appends one string that `writing` builds in place at the end of the buffer it is given.
    ///
    /// - Parameters:
    ///   - byteCount: How long the string will be. A wrong number of digits costs one move of the string, nothing else.
    ///   - writing: Appends the string's bytes and touches nothing before them.
    /// - Throws: What `writing` throws; then nothing was appended.
    package mutating func append<Failure: Error>(
        expecting byteCount: Int, writing: (inout ByteBuffer) throws(Failure) -> Void
    ) throws(Failure) {
        let start = buffer.writerIndex
        appendHeader(byteCount: max(byteCount, 0))
        let body = buffer.writerIndex
        do {
            try writing(&buffer)
        } catch {
            buffer.moveWriterIndex(to: start)
            throw error
        }
        let written = buffer.writerIndex - body
        if written != byteCount { rewriteHeader(at: start, body: body, byteCount: written) }
        appendEnd()
    }

    /// Appends strings that already have wire form, such as a slice of a reply; copies them unless the run is empty.
    ///
    /// - Parameters:
    ///   - wire: Whole bulk strings. They are not looked at: the caller vouches for them.
    ///   - count: How many they are.
    package mutating func append(wire: ByteBuffer, count: Int) {
        if buffer.readableBytes == 0 {
            buffer = wire
        } else {
            buffer.writeImmutableBuffer(wire)
        }
        self.count += count
    }

    /// Appends all strings of another run.
    package mutating func append(contentsOf other: BulkStrings) {
        append(wire: other.buffer, count: other.count)
    }
}

extension BulkStrings {
    private mutating func appendHeader(byteCount: Int) {
        buffer.writeHeader(.bulkString, byteCount)
    }

    private mutating func appendEnd() {
        buffer.writeInteger(0x0d0a as UInt16)
        count += 1
    }

    /// Writes `*<count>\r\n`, which is no string: for the head of a command.
    mutating func appendArrayHeader(count: Int) {
        buffer.writeHeader(.array, count)
    }

    /// Puts the right length before a string whose length was guessed.
    private mutating func rewriteHeader(at start: Int, body: Int, byteCount: Int) {
        var header = ByteBuffer()
        header.writeHeader(.bulkString, byteCount)
        if header.readableBytes == body - start {
            buffer.setBuffer(header, at: start)
        } else {
            let bytes = buffer.getBytes(at: body, length: byteCount) ?? []
            buffer.moveWriterIndex(to: start)
            buffer.writeImmutableBuffer(header)
            buffer.writeBytes(bytes)
        }
    }
}
