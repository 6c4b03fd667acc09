internal import Journal
internal import NIOCore
internal import Provisioning
internal import RESP

/// The row of an entry cannot be read, or names a column twice.
struct UnreadableRow: Error {}

/// Turns the row data of entries into the words of calls, one row after the other in the same memory.
struct ObjectRowWriter: Sendable {
    /// Stands for the value of an indexed column that is NULL; no text of PostgreSQL holds it.
    private static let noValue: [UInt8] = [0]

    /// By object type: rows of one have the same columns most of the time.
    private var rows: [String: ObjectRow] = [:]

    /// Appends `bucket:d id digest object value…`: the object as RESTORE takes it, without the columns that are NULL, and the
    /// values of the indexed columns. Nothing is appended when the row cannot be read.
    mutating func put(
        _ name: ProvisioningEntry.ObjectName, data: ByteBufferView, version: Position, layout: IndexLayout,
        to words: inout BulkStrings
    ) throws(UnreadableRow) {
        let key = Array(name.key.utf8)
        let isWritten = unsafe data.withUnsafeBytes { bytes in
            let row = unsafe RawSpan(_unsafeBytes: bytes)
            guard (try? rows[name.type, default: ObjectRow(leading: layout.fields)].read(row)) != nil,
                let object = rows[name.type]
            else { return false }
            Self.write(object, row, key: unsafe key.span.bytes, version: version, layout: layout, to: &words)
            return true
        }
        if !isWritten { throw UnreadableRow() }
    }

    /// Appends `bucket:d id` and an empty digest.
    static func delete(_ name: ProvisioningEntry.ObjectName, to words: inout BulkStrings) {
        words.append(ProjectionKeys.digestField(bucket: Bucket.index(ofKey: name.key.utf8)))
        words.append(name.key)
        words.append("" as StaticString)
    }

    private static func write(
        _ object: ObjectRow, _ row: RawSpan, key: RawSpan, version: Position, layout: IndexLayout,
        to words: inout BulkStrings
    ) {
        let digest = object.digest(key: key, row: row)
        words.append(ProjectionKeys.digestField(bucket: Bucket.index(ofKey: key)))
        words.append(key)
        words.append(integer: digest.value)
        // With `_v`, `_d` and their numbers.
        let pairs = object.count + 2
        let room = HashDump.room(pairs: pairs, byteCount: row.byteCount + 44)
        unsafe withUnsafeTemporaryAllocation(byteCount: room, alignment: 8) { memory in
            var dump = unsafe HashDump(memory, pairs: pairs, longest: object.longest)
            // First what is asked for with every change, as the indexed columns are: a listpack is searched from its
            // beginning.
            dump.append("_d")
            dump.append(digest.value)
            dump.append("_v")
            dump.append(version.number)
            object.forEachColumn(of: row) { name, value in
                dump.append(name)
                dump.append(value)
            }
            dump.finish { words.append($0) }
        }
        for field in layout.fields {
            object.withValue(of: field, in: row) { value in
                if let value { words.append(value) } else { words.append(noValue) }
            }
        }
    }
}
