internal import NIOCore
package import RESP

/// A run of entries of one journal, as bytes: what a read of the source gives and an append at the target takes.
///
/// The bytes are never taken apart on the way: the field list of an entry is the same run of bulk strings in a read's
/// reply and in an append command, so a batch travels as one slice.
package struct EntryBatch: Sendable {
    /// The ID behind which the batch was read: the last entry before it, or the cursor of the read.
    package let previous: EntryID
    /// The ID of the batch's last entry.
    package let last: EntryID
    /// For each entry in order: its ID, then field, value, field, value …
    package let strings: BulkStrings
    /// How many fields each entry has; needed to find the entries in `strings`.
    package let shape: Shape

    /// - Precondition: `strings` holds the entries that `shape` counts.
    package init(previous: EntryID, last: EntryID, strings: BulkStrings, shape: Shape) {
        self.previous = previous
        self.last = last
        self.strings = strings
        self.shape = shape
    }

    /// Number of entries.
    package var count: Int { shape.entryCount }

    /// Size of the entries on the wire, bulk string headers included.
    package var byteCount: Int { strings.buffer.readableBytes }
}

extension EntryBatch {
    /// The numbers of fields of a batch's entries, as runs of equal entries: `500x3,20x4` is 500 entries of three fields,
    /// then 20 of four.
    package struct Shape: Sendable, Hashable {
        package struct Run: Sendable, Hashable {
            package var entries: Int
            package let fields: Int

            package init(entries: Int, fields: Int) {
                self.entries = entries
                self.fields = fields
            }
        }

        package private(set) var runs: [Run] = []
        package private(set) var entryCount = 0

        package init() {}

        package init(runs: [Run]) {
            self.runs = runs
            entryCount = runs.reduce(0) { $0 + $1.entries }
        }

        /// Counts one more entry of `fields` field-value pairs.
        package mutating func append(fields: Int) {
            entryCount += 1
            if let last = runs.last, last.fields == fields {
                runs[runs.count - 1].entries += 1
            } else {
                runs.append(Run(entries: 1, fields: fields))
            }
        }

        /// Whether an entry has more fields than a script can pass on; the function refuses it, a transaction does not.
        package var isWide: Bool { runs.contains { $0.fields > 3_000 } }

        /// The form in which the append function takes it.
        package var text: String {
            runs.map { "\($0.entries)x\($0.fields)" }.joined(separator: ",")
        }
    }
}

/// Builds a batch entry by entry, for journals that this worker writes.
package struct EntryBatchBuilder: Sendable {
    private var strings: BulkStrings
    private var shape = EntryBatch.Shape()
    private let previous: EntryID
    /// The ID of the entry added last, or the ID before the batch.
    package private(set) var last: EntryID

    /// `previous` is the ID of the entry that the journal ends with before this batch; `capacity` is in bytes.
    package init(previous: EntryID, capacity: Int = 0) {
        self.previous = previous
        last = previous
        strings = BulkStrings(capacity: capacity)
    }

    package var count: Int { shape.entryCount }
    package var byteCount: Int { strings.buffer.readableBytes }

    /// Adds an entry; `write` appends exactly `2 * fields` strings: field, value, field, value …
    package mutating func append(id: EntryID, fields: Int, write: (inout BulkStrings) -> Void) {
        strings.append(id.description)
        let before = strings.count
        write(&strings)
        precondition(strings.count == before + 2 * fields, "an entry of \(fields) fields")
        shape.append(fields: fields)
        last = id
    }

    /// The batch so far; nil when it is empty.
    package func batch() -> EntryBatch? {
        guard count > 0 else { return nil }
        return EntryBatch(previous: previous, last: last, strings: strings, shape: shape)
    }
}
