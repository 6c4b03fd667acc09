package import NIOCore

/// The entries of one stream in the answer to `XREAD`, `XREADGROUP` or `XRANGE`, as they lie in the reply.
///
/// Making one looks at every node once, copies nothing and proves the shape: each entry is an ID and an even list of
/// strings, so `wire` is ID, field, value, field, value … ID, field, value … and nothing else.
package struct StreamEntries: Sendable {
    /// Successive entries with equally many fields.
    package struct Run: Hashable, Sendable {
        package var entries: Int
        /// Field-value pairs of each of them.
        package let fields: Int
    }

    /// The entries' shape, in order; together as many as `count`.
    package let runs: [Run]
    /// Number of entries.
    package let count: Int
    /// Number of strings in `wire`: one for each ID and two for each field.
    package let wireCount: Int

    private let arena: ReplyArena
    private let first: Int
    private let last: Int
    private let end: Int

    /// The entries in an array of `[id, [field, value, …]]`; `nil` if it is anything else.
    package init?(_ reply: RedisReply) {
        guard reply.kind == .array else { return nil }
        let nodes = reply.arena.nodes
        var runs: [Run] = []
        var run = Run(entries: 0, fields: 0)
        var index = reply.index + 1
        var last = index
        for _ in 0..<reply.count {
            let list = index + 2
            guard nodes[index].kind == .array, nodes[index].elementCount == 2, nodes[index + 1].kind == .string,
                nodes[list].kind == .array
            else { return nil }
            let strings = nodes[list].elementCount
            let end = list + 1 + strings
            // Nothing is nested in the list exactly if it has no more nodes than elements.
            guard strings & 1 == 0, nodes[list].end(at: list) == end else { return nil }
            for node in nodes[(list + 1)..<end] where node.kind != .string { return nil }
            if strings / 2 == run.fields, run.entries > 0 {
                run.entries += 1
            } else {
                if run.entries > 0 { runs.append(run) }
                run = Run(entries: 1, fields: strings / 2)
            }
            last = index
            index = end
        }
        if run.entries > 0 { runs.append(run) }
        self.runs = runs
        count = reply.count
        wireCount = runs.reduce(0) { $0 + $1.entries * (1 + 2 * $1.fields) }
        arena = reply.arena
        first = reply.index + 1
        self.last = last
        end = index
    }

    package var isEmpty: Bool { count == 0 }

    /// All entries in wire form. Shares the reply's memory.
    package var wire: ByteBuffer { arena.wire(of: first..<end) }

    /// The ID of the first entry, as text; `nil` if there is none.
    package var firstID: ByteBuffer? { isEmpty ? nil : RedisReply(arena: arena, index: first + 1).bytes }

    /// The ID of the last entry, as text; `nil` if there is none.
    package var lastID: ByteBuffer? { isEmpty ? nil : RedisReply(arena: arena, index: last + 1).bytes }
}

/// What an `XREAD` found in one stream.
package struct StreamRead: Sendable {
    /// The stream's key.
    package let key: ByteBuffer
    package let entries: StreamEntries
}

extension RedisReply {
    /// What an `XREAD` or `XREADGROUP` found, one element a stream that has something; empty when it timed out. `nil` if
    /// this is not the answer to one.
    package var streams: [StreamRead]? {
        if isNull { return [] }
        guard kind == .array else { return nil }
        var streams: [StreamRead] = []
        streams.reserveCapacity(count)
        for element in elements {
            guard element.count == 2, let key = element[0]?.bytes, let list = element[1],
                let entries = StreamEntries(list)
            else { return nil }
            streams.append(StreamRead(key: key, entries: entries))
        }
        return streams
    }
}
