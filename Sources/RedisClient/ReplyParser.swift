internal import CHiredis
internal import NIOCore

/// hiredis' `redisReader` and the arena it fills: received bytes in, replies out.
///
/// Bytes are fed in pieces of 16 KiB: the reader moves what it has not read to the front of its buffer after every
/// reply, which is quadratic in a large buffer of small replies, and a piece stays in the first-level cache.
@safe struct ReplyParser: ~Copyable {
    /// How much a peer may make us keep.
    struct Limits {
        /// One reply, in wire form, bytes.
        var replyBytes = 512 << 20
        /// One reply, elements of any kind (16 bytes each).
        var replyElements = 1 << 24
        /// A line (status, error, number, length), bytes.
        var lineBytes = 64 << 10
    }

    private static let pieceBytes = 16 << 10

    private let limits: Limits
    private let reader: UnsafeMutablePointer<redisReader>
    private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>
    private let builder: UnsafeMutablePointer<ReplyBuilder>
    private var strings = ByteBuffer()
    /// Index behind the last node of each reply that is whole.
    private var ends: [Int] = []
    /// Bytes of strings in the replies that are whole.
    private var finishedBytes = 0
    /// Size of the last reply that came in several pieces: the next one is likely to be as large.
    private var expected = (bytes: 0, nodes: 0)
    private var failure: RedisError?

    init(limits: Limits = Limits()) throws(RedisError) {
        let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        unsafe functions.initialize(to: ReplyCallbacks.functions)
        guard let reader = unsafe redisReaderCreateWithFunctions(functions) else {
            unsafe functions.deallocate()
            throw .connect(reason: "no memory for a reply reader")
        }
        let builder = UnsafeMutablePointer<ReplyBuilder>.allocate(capacity: 1)
        unsafe builder.initialize(to: ReplyBuilder())
        unsafe reader.pointee.privdata = UnsafeMutableRawPointer(builder)
        unsafe reader.pointee.maxbuf = 256 << 10
        self.limits = limits
        unsafe self.functions = functions
        unsafe self.reader = reader
        unsafe self.builder = builder
    }

    deinit {
        unsafe redisReaderFree(reader)
        unsafe functions.deallocate()
        unsafe builder.deinitialize(count: 1)
        unsafe builder.deallocate()
    }

    /// Whether part of a reply has come and the rest has not.
    var isInsideReply: Bool { unsafe reader.pointee.ridx >= 0 || reader.pointee.len > reader.pointee.pos }

    /// Reads `bytes` and appends every reply that is now whole.
    ///
    /// - Throws: `.protocolViolation` or `.tooLarge`, from then on for ever. Replies before the offending bytes have been appended.
    mutating func feed(_ bytes: ByteBuffer, into replies: inout [RedisReply]) throws(RedisError) {
        if let failure { throw failure }
        var rest = bytes
        while let piece = rest.readSlice(length: min(rest.readableBytes, Self.pieceBytes)), piece.readableBytes > 0 {
            read(piece)
            emit(into: &replies)
            if let failure { throw failure }
        }
    }

    private mutating func read(_ piece: ByteBuffer) {
        let fed = unsafe piece.withUnsafeReadableBytes { bytes in
            unsafe redisReaderFeed(reader, bytes.baseAddress, bytes.count)
        }
        guard fed == REDIS_OK else { return fail() }
        // A bulk string takes at most its own bytes, as our header is the shortest; a line, which is shorter than what was
        // just fed plus one line, can double.
        let room = unsafe reader.pointee.len - reader.pointee.pos + piece.readableBytes + ReplyBuilder.slack
        var strings = ByteBuffer()
        swap(&strings, &self.strings)
        if unsafe !builder.pointee.nodes.isEmpty {
            strings.reserveCapacity(minimumWritableBytes: max(room, expected.bytes - strings.writerIndex))
            unsafe builder.pointee.reserve(nodes: expected.nodes)
        }
        unsafe strings.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { output in
            unsafe builder.pointee.begin(output)
            parse()
            return unsafe builder.pointee.end()
        }
        swap(&strings, &self.strings)
        if failure == nil { checkLimits() }
    }

    private mutating func parse() {
        while true {
            var object: UnsafeMutableRawPointer?
            guard unsafe redisReaderGetReply(reader, &object) == REDIS_OK else { return fail() }
            if unsafe object == nil { return }
            unsafe ends.append(builder.pointee.nodes.count)
            finishedBytes = unsafe builder.pointee.byteCount
        }
    }

    private mutating func fail() {
        let text = unsafe withUnsafeBytes(of: reader.pointee.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        failure = unsafe .protocolViolation(reason: builder.pointee.failure ?? text)
    }

    /// Looks at the reply that has only begun.
    private mutating func checkLimits() {
        let waiting = unsafe reader.pointee.len - reader.pointee.pos
        let bytes = unsafe builder.pointee.byteCount - finishedBytes + waiting
        let elements = unsafe builder.pointee.nodes.count - (ends.last ?? 0)
        if bytes > limits.replyBytes {
            failure = .tooLarge(reason: "a reply of more than \(limits.replyBytes) bytes")
        } else if elements > limits.replyElements {
            failure = .tooLarge(reason: "a reply of more than \(limits.replyElements) elements")
        } else if waiting > limits.lineBytes, !isInsideBulkString {
            failure = .protocolViolation(reason: "a line of more than \(limits.lineBytes) bytes")
        }
    }

    /// Whether the bytes that wait belong to a bulk string whose length is known.
    private var isInsideBulkString: Bool {
        let task = Int(unsafe reader.pointee.ridx)
        guard task >= 0, let buffer = unsafe reader.pointee.buf else { return false }
        let type = unsafe withUnsafeBytes(of: &reader.pointee.rstack) { tasks in
            unsafe tasks.bindMemory(to: redisReadTask.self)[task].type
        }
        guard type == REDIS_REPLY_STRING else { return false }
        let header = unsafe UnsafeRawBufferPointer(start: buffer + reader.pointee.pos, count: 24)
        return unsafe header.contains(UInt8(ascii: "\r"))
    }

    private mutating func emit(into replies: inout [RedisReply]) {
        guard let count = ends.last else { return }
        if finishedBytes > Self.pieceBytes { expected = (finishedBytes, count) }
        var finished = strings
        if finishedBytes == strings.writerIndex {
            strings = ByteBuffer()
        } else {
            let rest = strings.getSlice(at: finishedBytes, length: strings.writerIndex - finishedBytes)
            finished.moveWriterIndex(to: finishedBytes)
            strings = ByteBuffer()
            if let rest { strings.writeImmutableBuffer(rest) }
        }
        let nodes = unsafe builder.pointee.takeFinished(nodes: count, bytes: finishedBytes)
        let arena = ReplyArena(nodes: nodes, strings: finished)
        var index = 0
        for end in ends {
            replies.append(RedisReply(arena: arena, index: index))
            index = end
        }
        ends.removeAll(keepingCapacity: true)
        finishedBytes = 0
    }
}
