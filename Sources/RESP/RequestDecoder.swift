package import NIOCore

/// Received bytes in, requests out: `*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n` and inline (`ECHO hi\r\n`), cut anywhere.
///
/// What has come of a request is looked at once, however many pieces it comes in. Memory grows with the bytes that were
/// received and never with a length that was announced.
/// https://redis.io/docs/latest/develop/reference/protocol-spec/#sending-commands-to-a-redis-server
package struct RequestDecoder: Sendable {
    /// What the next request may be; those that came before are not affected.
    package var limits: RequestLimits

    /// What was received and is in no request yet; it begins with the first byte of a request.
    private var buffer = ByteBuffer()
    /// Whether somebody else holds the memory of `buffer`, so that appending to it would copy all of it.
    private var isShared = true
    private var progress = Progress()
    private var failure: RequestError?

    /// What is known of the request that has begun. Places are counted from its first byte.
    private struct Progress: Sendable {
        /// Everything before here has been understood.
        var position = 0
        /// No end of line stands before here.
        var searched = 0
        /// Words that are still to come; nil before the first line is read.
        var missing: Int?
        /// Length of the word whose header has been read.
        var length: Int?
        var ranges: [Range<Int>] = []
    }

    package init(limits: RequestLimits) {
        self.limits = limits
    }

    /// Bytes that were received and belong to no request yet.
    package var pendingBytes: Int { buffer.readableBytes }

    /// Memory that is kept for them, and for where the words of the one that has begun stand. What a request that was given
    /// shares with them counts.
    package var heldBytes: Int {
        guard buffer.readableBytes > 0 else { return 0 }
        return buffer.storageCapacity + progress.ranges.capacity * MemoryLayout<Range<Int>>.stride
    }

    /// Whether part of a request has come and the rest has not, once `next` has given nil.
    package var isInsideRequest: Bool { buffer.readableBytes > 0 }

    /// Takes bytes as they were received.
    package mutating func feed(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
            isShared = true
        } else if isShared {
            var joined = ByteBufferAllocator().buffer(capacity: buffer.readableBytes + bytes.readableBytes)
            joined.writeImmutableBuffer(buffer)
            joined.writeImmutableBuffer(bytes)
            buffer = joined
            isShared = false
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next request that is whole; nil until more is fed.
    ///
    /// - Throws: What is wrong with the bytes, from then on for ever.
    package mutating func next() throws(RequestError) -> Request? {
        if let failure { throw failure }
        do {
            return try decode()
        } catch {
            failure = error
            buffer = ByteBuffer()
            throw error
        }
    }
}

extension RequestDecoder {
    private mutating func decode() throws(RequestError) -> Request? {
        while true {
            if progress.missing == nil {
                guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { break }
                if first != UInt8(ascii: "*") {
                    guard let line = try line(orElse: .tooBigInline, within: limits.queryBytes, endsWithCR: false)
                    else { break }
                    let words = try inlineWords(line)
                    forget()
                    if let words { return words }
                    continue
                }
                guard try readCount() else { break }
                if progress.missing == 0 {
                    forget()
                    continue
                }
            }
            guard try readWords() else { break }
            return take()
        }
        guard buffer.readableBytes <= limits.queryBytes else { throw .tooBigQuery }
        keepRestAlone()
        return nil
    }

    /// `*<count>\r\n`; false where the line is not whole. A count below one, which is no request, counts as none.
    private mutating func readCount() throws(RequestError) -> Bool {
        guard let line = try line(orElse: .tooBigMultibulkCount, within: Self.headerBytes) else { return false }
        guard let count = number(line.dropFirst()), count <= Int32.max else { throw .invalidMultibulkLength }
        guard count <= limits.elements else {
            throw limits.isAuthenticated ? .invalidMultibulkLength : .unauthenticatedMultibulkLength
        }
        progress.missing = max(Int(count), 0)
        return true
    }

    /// The words behind the count; false where they are not whole.
    private mutating func readWords() throws(RequestError) -> Bool {
        while let missing = progress.missing, missing > 0 {
            if progress.length == nil {
                guard try readLength() else { return false }
            }
            guard let length = progress.length else { return false }
            let end = progress.position + length
            guard end + 2 <= buffer.readableBytes else { return false }
            guard byte(end) == UInt8(ascii: "\r"), byte(end + 1) == UInt8(ascii: "\n") else { throw .missingLineEnd }
            progress.ranges.append(progress.position..<end)
            progress.position = end + 2
            progress.searched = end + 2
            progress.length = nil
            progress.missing = missing - 1
        }
        return true
    }

    /// `$<length>\r\n`; false where the line is not whole.
    private mutating func readLength() throws(RequestError) -> Bool {
        guard let first = byte(progress.position) else { return false }
        guard first == UInt8(ascii: "$") else { throw .expectedBulk(found: first) }
        guard let line = try line(orElse: .tooBigBulkCount, within: Self.headerBytes) else { return false }
        guard let length = number(line.dropFirst()), length >= 0 else { throw .invalidBulkLength }
        guard length <= limits.bulkBytes else {
            throw limits.isAuthenticated ? .invalidBulkLength : .unauthenticatedBulkLength
        }
        guard progress.position + Int(length) + 2 <= limits.queryBytes else { throw .tooBigQuery }
        progress.length = Int(length)
        return true
    }

    /// The request that ends at the position.
    private mutating func take() -> Request? {
        guard let bytes = buffer.readSlice(length: progress.position) else { return nil }
        let request = Request(buffer: bytes, ranges: progress.ranges)
        isShared = true
        progress = Progress()
        dropEmpty()
        return request
    }

    /// Half a request must not hold the memory of all that was received with it, for as long as the client likes, nor of all
    /// that was passed over before it began.
    private mutating func keepRestAlone() {
        guard isShared else {
            buffer.discardReadBytes()
            return
        }
        var rest = ByteBuffer()
        if buffer.readableBytes > 0 {
            rest.reserveCapacity(buffer.readableBytes)
            rest.writeImmutableBuffer(buffer)
        }
        buffer = rest
        isShared = false
    }

    /// Passes over what has been read, which is no request.
    private mutating func forget() {
        buffer.moveReaderIndex(forwardBy: progress.position)
        progress = Progress()
        dropEmpty()
    }

    /// Memory in which nothing is left is not kept until more is fed.
    private mutating func dropEmpty() {
        guard buffer.readableBytes == 0 else { return }
        buffer = ByteBuffer()
        isShared = false
    }
}

extension RequestDecoder {
    /// Bytes of a line that carries a number: more than any number has.
    private static let headerBytes = 64

    /// The line at the position, without its end, which the position is moved behind; nil where it is not whole.
    private mutating func line(
        orElse tooLong: RequestError, within limit: Int, endsWithCR: Bool = true
    ) throws(RequestError) -> Range<Int>? {
        let start = progress.position
        guard let end = lineFeed(from: max(progress.searched, start), upTo: start + limit) else {
            progress.searched = min(buffer.readableBytes, start + limit)
            guard buffer.readableBytes - start < limit else { throw tooLong }
            return nil
        }
        progress.position = end + 1
        progress.searched = end + 1
        if end > start, byte(end - 1) == UInt8(ascii: "\r") { return start..<end - 1 }
        guard !endsWithCR else { throw .missingLineEnd }
        return start..<end
    }

    /// Where the first LF stands in a part of what was received.
    private func lineFeed(from start: Int, upTo limit: Int) -> Int? {
        let bytes = buffer.readableBytesSpan
        let end = min(bytes.byteCount, limit)
        var place = start
        while place < end {
            // Safe: the place lies inside the bytes.
            if unsafe bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self) == UInt8(ascii: "\n") { return place }
            place += 1
        }
        return nil
    }

    private func byte(_ place: Int) -> UInt8? {
        buffer.getInteger(at: buffer.readerIndex + place, as: UInt8.self)
    }

    private func number(_ range: Range<Int>) -> Int64? {
        DecimalInteger.parse(buffer.readableBytesSpan.extracting(range))
    }

    /// The words of a line; nil where it has none.
    private func inlineWords(_ line: Range<Int>) throws(RequestError) -> Request? {
        let bytes = buffer.getBytes(at: buffer.readerIndex + line.lowerBound, length: line.count) ?? []
        let words = try InlineWords.split(bytes, limit: limits.elements)
        guard words.count <= limits.elements else {
            throw limits.isAuthenticated ? .invalidMultibulkLength : .unauthenticatedMultibulkLength
        }
        guard !words.isEmpty else { return nil }
        guard words.allSatisfy({ $0.count <= limits.bulkBytes }) else {
            throw limits.isAuthenticated ? .invalidBulkLength : .unauthenticatedBulkLength
        }
        return Request(bytes: words)
    }
}
