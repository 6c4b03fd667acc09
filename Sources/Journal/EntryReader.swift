package import NIOCore
internal import RESP

/// One entry of a batch: its ID and its fields as slices of the batch's bytes.
package struct JournalEntry: Sendable {
    package let id: EntryID
    /// Field, value, field, value … in the order in which they were written.
    package let strings: [ByteBufferView]

    /// The value of the first field of that name; nil when there is none.
    package func value(of field: StaticString) -> ByteBufferView? {
        let name = unsafe UnsafeBufferPointer(start: field.utf8Start, count: field.utf8CodeUnitCount)
        var index = 0
        while index + 1 < strings.count {
            if unsafe strings[index].elementsEqual(name) { return strings[index + 1] }
            index += 2
        }
        return nil
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
                var fields: [ByteBufferView] = []
                fields.reserveCapacity(2 * run.fields)
                for _ in 0..<(2 * run.fields) {
                    guard let string = walk.next() else { throw Malformed(offset: walk.offset) }
                    fields.append(string)
                }
                try body(JournalEntry(id: id, strings: fields))
            }
        }
    }
}
