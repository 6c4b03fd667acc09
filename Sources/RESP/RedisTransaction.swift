package import NIOCore

/// `MULTI`, commands, `EXEC`, in one buffer: carried out together or, when the server refuses one of them beforehand, not
/// at all.
package struct RedisTransaction: Sendable {
    /// All commands in wire form.
    package private(set) var buffer: ByteBuffer
    /// How many replies the server gives: one a command, `MULTI` and `EXEC` included.
    package private(set) var replyCount: Int

    private static let multi: StaticString = "*1\r\n$5\r\nMULTI\r\n"
    private static let exec: StaticString = "*1\r\n$4\r\nEXEC\r\n"

    /// An open transaction with room for `capacity` bytes.
    package init(capacity: Int) {
        buffer = ByteBufferAllocator().buffer(capacity: capacity)
        buffer.writeStaticString(Self.multi)
        replyCount = 1
    }

    /// Adds a command.
    package mutating func append(_ command: RedisCommand) {
        buffer.writeImmutableBuffer(command.head)
        for run in command.runs { buffer.writeImmutableBuffer(run.buffer) }
        replyCount += 1
    }

    /// Adds a command for each of `parts`: `head`, which announces all its words, and the rest of them, which stand there
    /// in `words` in wire form.
    package mutating func append(head: ByteBuffer, eachOf parts: [Range<Int>], in words: ByteBufferView) {
        let total = parts.reduce(parts.count * head.readableBytes) { $0 + $1.count }
        let first = words.startIndex
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: total) { target in
            var rest = unsafe target[...]
            func put(_ bytes: UnsafeRawBufferPointer) {
                unsafe UnsafeMutableRawBufferPointer(rebasing: rest).copyMemory(from: bytes)
                unsafe rest = rest.dropFirst(bytes.count)
            }
            unsafe head.withUnsafeReadableBytes { head in
                unsafe words.withUnsafeBytes { words in
                    for part in parts {
                        unsafe put(head)
                        let body = unsafe words[part.lowerBound - first..<part.upperBound - first]
                        unsafe put(UnsafeRawBufferPointer(rebasing: body))
                    }
                }
            }
            return total
        }
        replyCount += parts.count
    }

    /// Closes the transaction; nothing may follow.
    package mutating func finish() {
        buffer.writeStaticString(Self.exec)
        replyCount += 1
    }

    /// The head of a command of these words which has `following` more, in wire form.
    package static func head(_ words: [String], following: Int) -> ByteBuffer {
        var head = BulkStrings()
        head.appendArrayHeader(count: words.count + following)
        for word in words { head.append(word) }
        return head.buffer
    }
}
