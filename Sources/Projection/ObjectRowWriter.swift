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

    private var digester = Digester()
    private var columns: [RowDataReader.Column] = []
    private var dump = HashDump()

    /// Appends `bucket id digest object value…`: the object as RESTORE takes it, without the columns that are NULL, and the
    /// values of the indexed columns. Nothing is appended when the row cannot be read.
    mutating func put(
        _ name: ProvisioningEntry.ObjectName, data: ByteBufferView, version: Position, layout: IndexLayout,
        to words: inout BulkStrings
    ) throws(UnreadableRow) {
        let key = Array(name.key.utf8)
        let isWritten = unsafe data.withUnsafeBytes { bytes in
            let row = unsafe RawSpan(_unsafeBytes: bytes)
            do throws(RowDataError) {
                let digest = unsafe try digester.digest(key: key.span.bytes, row: row)
                try readColumns(of: row)
                guard !row.namesTwice(columns) else { return false }
                try fillDump(from: row, version: version, digest: digest)
                words.append(integer: Bucket.index(ofKey: key))
                words.append(key)
                words.append(integer: digest.value)
                words.append(expecting: row.byteCount + 64) { dump.write(to: &$0) }
                for field in layout.fields { try append(field, of: row, to: &words) }
                return true
            } catch {
                return false
            }
        }
        if !isWritten { throw UnreadableRow() }
    }

    /// Appends `bucket id` and an empty digest.
    static func delete(_ name: ProvisioningEntry.ObjectName, to words: inout BulkStrings) {
        words.append(integer: Bucket.index(ofKey: name.key.utf8))
        words.append(name.key)
        words.append("" as StaticString)
    }

    /// The columns that are not NULL.
    private mutating func readColumns(of row: RawSpan) throws(RowDataError) {
        columns.removeAll(keepingCapacity: true)
        var reader = RowDataReader()
        while let column = try reader.next(in: row) {
            if column.value != nil { columns.append(column) }
        }
    }

    private mutating func fillDump(
        from row: RawSpan, version: Position, digest: ObjectDigest
    ) throws(RowDataError) {
        dump.begin()
        for column in columns {
            guard let value = column.value else { continue }
            for text in [column.name, value] {
                try dump.append { buffer throws(RowDataError) in try text.write(from: row, to: &buffer) }
            }
        }
        dump.append("_v")
        dump.append(version.number)
        dump.append("_d")
        dump.append(digest.value)
    }

    /// Appends the value of an indexed column. What was read once can be read again.
    private func append(_ field: [UInt8], of row: RawSpan, to words: inout BulkStrings) throws(RowDataError) {
        guard let value = columns.first(where: { row.holds(field, at: $0.name) })?.value else {
            return words.append(Self.noValue)
        }
        guard value.isEscaped else { return words.append(row.extracting(value.range)) }
        try words.append(expecting: value.range.count) { buffer throws(RowDataError) in
            try value.write(from: row, to: &buffer)
        }
    }
}

extension RawSpan {
    /// Whether the text, which may be escaped, is `name`.
    fileprivate func holds(_ name: [UInt8], at text: RowDataReader.Text) -> Bool {
        if text.isEscaped { return (try? text.string(from: self)).map { Array($0.utf8) == name } ?? false }
        guard text.range.count == name.count else { return false }
        return unsafe extracting(text.range).withUnsafeBytes { unsafe $0.elementsEqual(name) }
    }

    /// Whether two columns have the same name, or one that no hash of ours can hold.
    fileprivate func namesTwice(_ columns: [RowDataReader.Column]) -> Bool {
        if columns.count > 64 || columns.contains(where: { $0.name.isEscaped }) {
            var names: Set<String> = []
            return columns.contains { !names.insert((try? $0.name.string(from: self)) ?? "").inserted }
        }
        for (index, column) in columns.enumerated() {
            for other in columns[..<index] where other.name.range.count == column.name.range.count {
                if unsafe extracting(other.name.range).withUnsafeBytes({ left in
                    unsafe extracting(column.name.range).withUnsafeBytes { unsafe left.elementsEqual($0) }
                }) {
                    return true
                }
            }
        }
        return false
    }
}
