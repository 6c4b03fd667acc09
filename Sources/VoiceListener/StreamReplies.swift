internal import NIOCore
internal import Projection
internal import RESP

/// Redis answers the worker in RESP2; clients of RESP3 get maps where Redis has them.
enum StreamReplies {
    /// How an answer looks.
    enum Shape: Hashable, Sendable {
        /// As it is; nothing for the whole of it is the null array.
        case plain
        /// `OK` where it is a string.
        case status
        /// Lines for people.
        case lines
        /// Entries, some of which may be gone.
        case entries
        /// Of `XPENDING` without a range: what there is no consumer for is the null array.
        case pending
        /// Fields and their values.
        case map
        /// Maps in an array.
        case maps
        /// Of `XINFO STREAM FULL`: groups and their consumers are maps as well.
        case full
    }

    static func reply(_ reply: StoreReply, as shape: Shape) -> Reply {
        switch (shape, reply) {
        case (_, .null): .nullArray
        case (.status, .string): reply.text.map { .simple($0) } ?? .null
        case (.lines, .array(let lines)): .array(lines.map { .simple($0.text ?? "") })
        case (.entries, .array(let entries)): .entries(entries)
        case (.pending, .array(let parts)):
            .array(parts.enumerated().map { $0 == 3 && $1 == .null ? .nullArray : Reply($1) })
        case (.map, .array(let fields)): map(fields) { _, value in Reply(value) }
        case (.maps, .array(let maps)): .array(maps.map { map($0.elements) { _, value in Reply(value) } })
        case (.full, .array(let fields)): map(fields, of: full)
        default: Reply(reply)
        }
    }

    private static func map(_ fields: [StoreReply], of value: (String?, StoreReply) -> Reply) -> Reply {
        .map(
            stride(from: 0, to: fields.count - 1, by: 2).map { index in
                Reply.Pair(Reply(fields[index]), value(fields[index].text, fields[index + 1]))
            })
    }

    private static func full(_ field: String?, _ value: StoreReply) -> Reply {
        switch field {
        case "groups", "consumers": .array(value.elements.map { map($0.elements, of: full) })
        default: Reply(value)
        }
    }
}

extension Reply {
    /// An answer of Redis in its own terms.
    init(_ reply: StoreReply) {
        switch reply {
        case .null: self = .null
        case .integer(let number): self = .integer(number)
        case .string(let bytes): self = .bulk(bytes)
        case .array(let elements): self = .array(elements.map { Reply($0) })
        }
    }

    /// Entries as `XREAD`, `XRANGE` and `XCLAIM` answer them. Where none is gone they are put into wire form here, and not
    /// where all clients wait for it.
    static func entries(_ entries: [StoreReply]) -> Reply {
        var wire = ByteBuffer()
        if entries.allSatisfy({ $0.write(to: &wire) }) { return .elements(wire, count: entries.count) }
        return .array(entries.map { Reply(entry: $0) })
    }

    /// An entry, whose strings are the null array where it is gone.
    private init(entry: StoreReply) {
        let parts = entry.elements
        guard parts.count == 2, parts[1] == .null else {
            self.init(entry)
            return
        }
        self = .array([Reply(parts[0]), .nullArray])
    }
}

extension StoreReply {
    /// Appends the wire form that both versions of the protocol have.
    ///
    /// - Returns: Whether there is one: null has two.
    fileprivate func write(to buffer: inout ByteBuffer) -> Bool {
        switch self {
        case .null: return false
        case .integer(let number): buffer.writeString(":\(number)\r\n")
        case .string(let bytes):
            buffer.writeString("$\(bytes.readableBytes)\r\n")
            buffer.writeImmutableBuffer(bytes)
            buffer.writeString("\r\n")
        case .array(let elements):
            buffer.writeString("*\(elements.count)\r\n")
            for element in elements where !element.write(to: &buffer) { return false }
        }
        return true
    }
}
