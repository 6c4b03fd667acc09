package import NIOCore
internal import RESP

/// One entry of a batch: its ID and its fields, as a slice of the batch's bytes.
package struct JournalEntry: Sendable {
    package let id: EntryID
    /// Fields and values as they stand on the wire.
    private let wire: ByteBufferView
    private let stringCount: Int

    fileprivate init(id: EntryID, wire: ByteBufferView, stringCount: Int) {
        self.id = id
        self.wire = wire
        self.stringCount = stringCount
    }

    /// Field, value, field, value … in the order in which they were written.
    package var strings: [ByteBufferView] {
        var walk = BulkStringWalk(wire)
        return (0..<stringCount).compactMap { _ in walk.next() }
    }

    /// Appends the entry as replies to `XREAD` and `XRANGE` have it: an array of its ID and the array of its strings.
    package func write(to buffer: inout ByteBuffer) {
        let text = id.description
        buffer.writeString("*2\r\n$\(text.utf8.count)\r\n\(text)\r\n*\(stringCount)\r\n")
        buffer.writeBytes(wire)
    }

    /// The value of the first field of that name; nil when there is none.
    package func value(of field: StaticString) -> ByteBufferView? { places(of: [field])[0].map { bytes(at: $0) } }

    /// For each name where the value of the first field of that name stands, found in one walk; nil where there is none.
    func places<let count: Int>(of names: InlineArray<count, StaticString>) -> InlineArray<count, Range<Int>?> {
        var places = InlineArray<count, Range<Int>?>(repeating: nil)
        var walk = BulkStringWalk(wire)
        for _ in 0..<stringCount / 2 {
            guard let name = walk.nextRange(), let value = walk.nextRange() else { break }
            for index in names.indices where places[index] == nil && walk.holds(names[index], at: name) {
                places[index] = value
                break
            }
        }
        return places
    }

    /// The string at a place that `places` gave.
    func bytes(at place: Range<Int>) -> ByteBufferView { wire[place] }

    /// The string at a place that `places` gave; ill-formed UTF-8 is repaired.
    func text(at place: Range<Int>) -> String {
        let start = wire.startIndex
        return unsafe wire.withUnsafeBytes { bytes in
            unsafe String(decoding: bytes[place.lowerBound - start..<place.upperBound - start], as: UTF8.self)
        }
    }
}

extension EntryBatch {
    /// The batch's bytes do not hold what its shape says; cannot come from a well-formed reply.
    package struct Malformed: Error, Hashable {
        /// Offset in the batch's bytes at which reading stopped.
        package let offset: Int
    }

    /// Hands every entry to `body`, in order.
    ///
    /// - Throws: `Malformed` when bytes and shape disagree.
    package func forEachEntry(_ body: (JournalEntry) throws -> Void) throws {
        var walk = BulkStringWalk(strings.buffer.readableBytesView)
        for run in shape.runs {
            for _ in 0..<run.entries {
                guard let idBytes = walk.next(), let id = EntryID(ascii: idBytes) else {
                    throw Malformed(offset: walk.offset)
                }
                guard let wire = walk.skip(2 * run.fields) else { throw Malformed(offset: walk.offset) }
                try body(JournalEntry(id: id, wire: wire, stringCount: 2 * run.fields))
            }
        }
    }
}
