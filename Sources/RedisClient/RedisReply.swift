package import NIOCore

/// A reply, or one element of it: a view into the arena in which the whole reply lies flat.
///
/// Making one costs a reference count. A view keeps the arena of its reply alive, and with it the replies that came in
/// the same 16 KiB; what is to be kept for long is better copied.
package struct RedisReply: Sendable {
    package enum Kind: Hashable, Sendable {
        /// A bulk string.
        case string
        /// A simple string, such as `OK`.
        case status
        /// An error inside an array, as in the answer to `EXEC`. One that is the whole reply is thrown instead.
        case error
        case integer
        /// A null string or a null array.
        case null
        case array
    }

    let arena: ReplyArena
    let index: Int

    package var kind: Kind {
        switch node.kind {
        case .string: .string
        case .status: .status
        case .error: .error
        case .integer: .integer
        case .null: .null
        case .array: .array
        }
    }

    package var isNull: Bool { node.kind == .null }

    /// The number; `nil` for anything but an integer reply. A number in a string is a string.
    package var integer: Int64? { node.kind == .integer ? node.integer : nil }

    /// The bytes of a string or status; `nil` for anything else. Shares the arena's memory.
    package var bytes: ByteBuffer? {
        guard node.kind == .string || node.kind == .status else { return nil }
        return payload
    }

    /// The text of a string or status, with what is not UTF-8 repaired; `nil` for anything else.
    package var string: String? { bytes.map { String(buffer: $0) } }

    /// The error; `nil` for anything else.
    package var error: RedisError? {
        node.kind == .error ? RedisError(errorLine: String(buffer: payload)[...]) : nil
    }

    /// How many elements an array has; 0 for anything else.
    package var count: Int { node.kind == .array ? node.elementCount : 0 }

    /// The elements of an array; none for anything else.
    package var elements: Elements {
        Elements(arena: arena, index: index + 1, remaining: count)
    }

    /// The element at `position` of an array; `nil` where there is none. Steps over the elements before it.
    package subscript(position: Int) -> RedisReply? {
        guard position >= 0, position < count else { return nil }
        var next = index + 1
        for _ in 0..<position { next = arena.nodes[next].end(at: next) }
        return RedisReply(arena: arena, index: next)
    }

    var node: Node { arena.nodes[index] }

    private var payload: ByteBuffer {
        let range = arena.payload(of: index)
        return arena.strings.getSlice(at: range.lowerBound, length: range.count) ?? ByteBuffer()
    }
}

extension RedisReply {
    /// All strings of this element and of what it holds, in wire form and reply order. Shares the arena's memory.
    ///
    /// Numbers and nulls have no part in it; a status or error is in it as a bulk string.
    package var wire: ByteBuffer { arena.wire(of: index..<node.end(at: index)) }

    /// The wire form of everything from this element to the end of `last`, which stands behind it in the same reply.
    package func wire(through last: RedisReply) -> ByteBuffer {
        guard last.arena === arena, last.index >= index else { return ByteBuffer() }
        return arena.wire(of: index..<last.node.end(at: last.index))
    }

    /// How many strings `wire` holds. Looks at every node below.
    package var wireCount: Int {
        arena.nodes[index..<node.end(at: index)].count {
            $0.kind == .string || $0.kind == .status || $0.kind == .error
        }
    }

    /// The elements of an array, in order.
    package struct Elements: Sequence, IteratorProtocol, Sendable {
        private let arena: ReplyArena
        private var index: Int
        private var remaining: Int

        init(arena: ReplyArena, index: Int, remaining: Int) {
            self.arena = arena
            self.index = index
            self.remaining = remaining
        }

        package var underestimatedCount: Int { remaining }

        package mutating func next() -> RedisReply? {
            guard remaining > 0 else { return nil }
            let element = RedisReply(arena: arena, index: index)
            index = arena.nodes[index].end(at: index)
            remaining -= 1
            return element
        }
    }
}

extension RedisReply: CustomStringConvertible {
    /// The reply as `redis-cli` might show it on one line.
    package var description: String {
        switch node.kind {
        case .string: "\"\(string ?? "")\""
        case .status: string ?? ""
        case .error: "(error) \(String(buffer: payload))"
        case .integer: "\(node.integer)"
        case .null: "(nil)"
        case .array: "[\(elements.map(\.description).joined(separator: ", "))]"
        }
    }
}
