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
        var string = string
        string.withUTF8 { bytes in unsafe append(bytes: UnsafeRawBufferPointer(bytes)) }
    }

    /// Appends one string known when compiling.
    package mutating func append(_ string: StaticString) {
        unsafe append(bytes: UnsafeRawBufferPointer(start: string.utf8Start, count: string.utf8CodeUnitCount))
    }

    /// Appends one string of any bytes.
    package mutating func append(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe append(bytes: $0) }
    }

    /// Appends one string of any bytes.
    package mutating func append(_ bytes: ByteBufferView) {
        unsafe bytes.withUnsafeBytes { unsafe append(bytes: $0) }
    }

    /// Appends the readable bytes as one string.
    package mutating func append(_ bytes: ByteBuffer) {
        unsafe bytes.withUnsafeReadableBytes { unsafe append(bytes: $0) }
    }

    /// Appends one string of any bytes.
    package mutating func append(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe append(bytes: $0) }
    }

    /// Appends a number in decimal, as Redis expects numbers.
    package mutating func append(integer: some BinaryInteger) {
        append(String(integer))
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
    /// Header, string and end in one step.
    private mutating func append(bytes: UnsafeRawBufferPointer) {
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count + RESPHeader.room + 2) { target in
            let start = unsafe RESPHeader.bulkString.write(bytes.count, to: target)
            let end = start + bytes.count
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[start..<end]).copyMemory(from: bytes)
            unsafe target[end] = UInt8(ascii: "\r")
            unsafe target[end + 1] = UInt8(ascii: "\n")
            return end + 2
        }
        count += 1
    }

    /// Writes `*<count>\r\n`, which is no string: for the head of a command.
    mutating func appendArrayHeader(count: Int) {
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: RESPHeader.room) { target in
            unsafe RESPHeader.array.write(count, to: target)
        }
    }
}
