/// Turns pgoutput messages into values: bytes in, ranges out, no state between messages.
///
/// A row message allocates nothing once `columns` has grown to the widest table. Relations are handed out, not kept:
/// what a relation id means is the reader's to remember.
package struct PGOutputDecoder: Sendable {
    /// The columns of the tuples of the message decoded last.
    package private(set) var columns: [TupleColumn] = []

    package init() {
        columns.reserveCapacity(64)
    }

    /// Reads the message that stands at `range` of `bytes`, all of it. After an error `columns` is meaningless.
    package mutating func decode(_ bytes: RawSpan, at range: Range<Int>) throws(PGOutputError) -> PGOutputMessage {
        columns.removeAll(keepingCapacity: true)
        guard var cursor = ByteCursor(range, in: bytes) else {
            throw PGOutputError(.truncated, at: bytes.byteCount)
        }
        let message: PGOutputMessage =
            switch try cursor.byte(in: bytes) {
            case UInt8(ascii: "I"): .insert(try insert(&cursor, bytes))
            case UInt8(ascii: "U"): .update(try update(&cursor, bytes))
            case UInt8(ascii: "D"): .delete(try delete(&cursor, bytes))
            case UInt8(ascii: "B"): .begin(try Self.begin(&cursor, bytes))
            case UInt8(ascii: "C"): .commit(try Self.commit(&cursor, bytes))
            case UInt8(ascii: "R"): .relation(try Self.relation(&cursor, bytes))
            case UInt8(ascii: "Y"): .type(try Self.type(&cursor, bytes))
            case UInt8(ascii: "O"): .origin(try Self.origin(&cursor, bytes))
            case UInt8(ascii: "T"): .truncate(try Self.truncate(&cursor, bytes))
            case UInt8(ascii: "M"): .message(try Self.message(&cursor, bytes))
            case let tag: throw PGOutputError(.unknownMessage(tag), at: range.lowerBound)
            }
        try cursor.finish()
        return message
    }

    // MARK: Rows

    private mutating func insert(
        _ cursor: inout ByteCursor, _ bytes: RawSpan
    ) throws(PGOutputError) -> PGOutputMessage.Insert {
        let relation = try cursor.integer(UInt32.self, in: bytes)
        try Self.expectNewTuple(&cursor, bytes)
        return .init(relation: relation, new: try tuple(&cursor, bytes))
    }

    private mutating func update(
        _ cursor: inout ByteCursor, _ bytes: RawSpan
    ) throws(PGOutputError) -> PGOutputMessage.Update {
        let relation = try cursor.integer(UInt32.self, in: bytes)
        let position = cursor.position
        let tag = try cursor.byte(in: bytes)
        guard tag != UInt8(ascii: "N") else {
            return .init(relation: relation, old: nil, new: try tuple(&cursor, bytes))
        }
        let old = try oldTuple(tag, at: position, &cursor, bytes)
        try Self.expectNewTuple(&cursor, bytes)
        return .init(relation: relation, old: old, new: try tuple(&cursor, bytes))
    }

    private mutating func delete(
        _ cursor: inout ByteCursor, _ bytes: RawSpan
    ) throws(PGOutputError) -> PGOutputMessage.Delete {
        let relation = try cursor.integer(UInt32.self, in: bytes)
        let position = cursor.position
        let tag = try cursor.byte(in: bytes)
        return .init(relation: relation, old: try oldTuple(tag, at: position, &cursor, bytes))
    }

    private mutating func oldTuple(
        _ tag: UInt8, at position: Int, _ cursor: inout ByteCursor, _ bytes: RawSpan
    ) throws(PGOutputError) -> OldTuple {
        switch tag {
        case UInt8(ascii: "K"): .key(try tuple(&cursor, bytes, null: .absent))
        case UInt8(ascii: "O"): .full(try tuple(&cursor, bytes))
        default: throw PGOutputError(.unknownTuple(tag), at: position)
        }
    }

    private static func expectNewTuple(_ cursor: inout ByteCursor, _ bytes: RawSpan) throws(PGOutputError) {
        let position = cursor.position
        let tag = try cursor.byte(in: bytes)
        guard tag == UInt8(ascii: "N") else { throw PGOutputError(.unknownTuple(tag), at: position) }
    }

    /// `null` is what `n` means here: a key tuple says `n` for the columns that are not in the key.
    private mutating func tuple(
        _ cursor: inout ByteCursor, _ bytes: RawSpan, null: TupleColumn = .null
    ) throws(PGOutputError) -> Range<Int> {
        let first = columns.count
        let count = try cursor.count(in: bytes)
        // A column is a byte at least: nothing is made for a count that lies.
        guard count <= cursor.remaining else { throw PGOutputError(.truncated, at: cursor.end) }
        columns.append(contentsOf: repeatElement(null, count: count))
        var slots = columns.mutableSpan
        for index in first..<first + count {
            let position = cursor.position
            switch try cursor.byte(in: bytes) {
            case UInt8(ascii: "t"): slots[index] = .text(try cursor.lengthPrefixed(in: bytes))
            case UInt8(ascii: "n"): break
            case UInt8(ascii: "u"): slots[index] = .unchanged
            case let kind: throw PGOutputError(.unknownColumn(kind), at: position)
            }
        }
        return first..<first + count
    }
}
