package import Journal
internal import RESP

/// A Redis Stream as a value.
package struct SimulatedStream: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package let id: EntryID
        /// Field, value, field, value …
        package let fields: [String]

        package init(id: EntryID, fields: [String]) {
            self.id = id
            self.fields = fields
        }

        /// What tells entries of one ID apart: the fields and values with a NUL between each two.
        package var content: String { fields.joined(separator: "\0") }

        /// The value of a field; nil where there is none.
        package func value(of field: String) -> String? {
            stride(from: 0, to: fields.count - 1, by: 2).first { fields[$0] == field }.map { fields[$0 + 1] }
        }
    }

    package internal(set) var entries: [Entry] = []
    /// The last ID that was given out.
    package internal(set) var generated = EntryID.zero
    /// Entries that were ever added.
    package internal(set) var added: UInt64 = 0

    package init(entries: [Entry] = [], generated: EntryID = .zero, added: UInt64 = 0) {
        self.entries = entries
        self.generated = generated
        self.added = added
    }

    /// The first entry behind `id` stands there, if any does.
    func index(behind id: EntryID) -> Int {
        guard let last = entries.last, last.id > id else { return entries.count }
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].id > id { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The newest entry at or below `id`.
    func newest(through id: EntryID) -> Entry? {
        let index = index(behind: id)
        return index > 0 ? entries[index - 1] : nil
    }

    /// Entries behind `id`, at most `count`.
    package func entries(behind id: EntryID, count: Int) -> ArraySlice<Entry> {
        entries[index(behind: id)...].prefix(count)
    }

    /// Adds an entry; false when its ID is not above all that were given out.
    mutating func add(_ id: EntryID, _ fields: [String]) -> Bool {
        guard id > generated else { return false }
        entries.append(Entry(id: id, fields: fields))
        generated = id
        added += 1
        return true
    }

    /// The ID that `*` gives at a time, ms since 1970.
    static func next(behind generated: EntryID, at clock: UInt64) -> EntryID {
        let own = EntryID(first: clock, second: 0)
        return own > generated ? own : EntryID(first: generated.first, second: generated.second + 1)
    }
}

extension Sequence<SimulatedStream.Entry> {
    /// The entries as a read behind `cursor` gives them; nil for none.
    package func batch(behind cursor: EntryID) -> EntryBatch? {
        var builder = EntryBatchBuilder(previous: cursor)
        for entry in self {
            builder.append(id: entry.id, fields: entry.fields.count / 2) { strings in
                for word in entry.fields { strings.append(word) }
            }
        }
        return builder.batch()
    }
}
