internal import NIOCore

/// Writes the nodes and strings of an arena, element by element, as hiredis' reader finds them.
///
/// It lives at a fixed address, the reader's `privdata`. `output` is memory of the arena's buffer and valid only while
/// the parser is inside `redisReaderGetReply`.
@safe struct ReplyBuilder {
    /// An array whose elements are still coming.
    private struct OpenArray {
        var index: Int
        var remaining: Int

        static let none = OpenArray(index: -1, remaining: .max)
    }

    private(set) var nodes: [Node] = []
    /// Bytes of the arena's strings, in `output` and before it.
    private(set) var byteCount = 0
    /// Why the reader was told to stop.
    private(set) var failure: String?

    private var output = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var written = 0
    /// The innermost array whose elements are coming; outside of arrays, no index and more remaining than there can be.
    private var innermost = OpenArray.none
    /// The arrays around `innermost`, outermost first. hiredis nests no deeper than its nine tasks.
    private var outer: [9 of OpenArray] = .init(repeating: .none)
    private var depth = 0

    /// Room that an element may need beyond what it takes on the wire.
    static let slack = 64

    /// Strings are written to `output` from now on, which must stand behind the arena's first `byteCount` bytes.
    mutating func begin(_ output: UnsafeMutableRawBufferPointer) {
        unsafe self.output = output
        written = 0
    }

    /// Forgets `output`; returns how many bytes were written to it.
    mutating func end() -> Int {
        unsafe output = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        return written
    }

    /// Makes room for `count` nodes in all.
    mutating func reserve(nodes count: Int) {
        if nodes.capacity < count { nodes.reserveCapacity(count) }
    }

    /// Hands out the first `count` nodes, which are whole replies with `bytes` bytes of strings, and keeps the rest.
    mutating func takeFinished(nodes count: Int, bytes: Int) -> [Node] {
        let rest = nodes[count...].map { $0.rebased(index: count, offset: bytes) }
        var finished = rest
        swap(&finished, &nodes)
        if !rest.isEmpty { finished.removeLast(rest.count) }
        if depth > 0 { innermost.index -= count }
        for level in 1..<max(depth, 1) { outer[level].index -= count }
        byteCount -= bytes
        return finished
    }
}

extension ReplyBuilder {
    /// Appends a string; `bytes` are copied behind a header of our own.
    mutating func appendString(_ kind: Node.Kind, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard unsafe bytes.count + Self.slack / 2 <= output.count - written,
            let target = unsafe output.baseAddress, let source = bytes.baseAddress
        else { return fail("a string is longer than announced") }
        nodes.append(.string(kind, byteCount: bytes.count, offset: byteCount))
        var end = unsafe Self.writeHeader(count: bytes.count, to: target + written)
        unsafe end.copyMemory(from: source, byteCount: bytes.count)
        unsafe end += bytes.count
        unsafe end.storeBytes(of: UInt16(0x0a0d).littleEndian, as: UInt16.self)
        let total = unsafe end + 2 - target
        byteCount += total - written
        written = total
        elementEnded()
        return true
    }

    mutating func appendInteger(_ value: Int64) -> Bool {
        nodes.append(.integer(value, offset: byteCount))
        elementEnded()
        return true
    }

    mutating func appendNull() -> Bool {
        nodes.append(.null(offset: byteCount))
        elementEnded()
        return true
    }

    mutating func appendArray(count: Int32) -> Bool {
        let index = nodes.count
        nodes.append(.array(count: count, end: index + 1, offset: byteCount))
        if count > 0 {
            guard depth < outer.count else { return fail("arrays are nested too deep") }
            outer[depth] = innermost
            innermost = OpenArray(index: index, remaining: Int(count))
            depth += 1
        } else {
            elementEnded()
        }
        return true
    }

    mutating func fail(_ reason: String) -> Bool {
        failure = reason
        return false
    }

    /// An element is whole; perhaps it was the last of its array, and that the last of the one around it.
    @inline(__always)
    private mutating func elementEnded() {
        innermost.remaining -= 1
        if innermost.remaining == 0 { closeArrays() }
    }

    private mutating func closeArrays() {
        while depth > 0, innermost.remaining == 0 {
            nodes[innermost.index].close(at: nodes.count)
            depth -= 1
            innermost = outer[depth]
            innermost.remaining -= 1
        }
        if depth == 0 { innermost = .none }
    }

    /// Writes `$<count>\r\n`; returns the place behind it.
    private static func writeHeader(count: Int, to target: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let zero = UInt32(UInt8(ascii: "0"))
        if count < 10 {
            let header: UInt32 = 0x0a0d_0024 | (zero + UInt32(truncatingIfNeeded: count)) << 8
            unsafe target.storeBytes(of: header.littleEndian, as: UInt32.self)
            return unsafe target + 4
        }
        var digits = 2
        var power = 100
        while power <= count {
            digits += 1
            power *= 10
        }
        var rest = count
        for place in stride(from: digits, to: 0, by: -1) {
            unsafe target.storeBytes(of: UInt8(truncatingIfNeeded: 48 + rest % 10), toByteOffset: place, as: UInt8.self)
            rest /= 10
        }
        unsafe target.storeBytes(of: UInt8(ascii: "$"), as: UInt8.self)
        unsafe target.storeBytes(of: UInt16(0x0a0d).littleEndian, toByteOffset: digits + 1, as: UInt16.self)
        return unsafe target + digits + 3
    }
}
