internal import Journal
internal import NIOCore
internal import Provisioning
internal import RESP

/// Turns the row data of entries into the words of calls, one row after the other in the same memory.
struct ObjectRowWriter: Sendable {
    private var digester = Digester()
    private var columns: [RowDataReader.Column] = []

    /// Appends `width bucket id (field value)… _v position _d digest`. Columns that are NULL are left out. Nothing is
    /// appended when the row cannot be read.
    mutating func put(
        _ name: ProvisioningEntry.ObjectName, data: ByteBufferView, version: Position, layout: IndexLayout,
        to words: inout BulkStrings
    ) throws(RowDataError) {
        let key = Array(name.key.utf8)
        var result: Result<Void, RowDataError> = .success(())
        unsafe data.withUnsafeBytes { bytes in
            let row = unsafe RawSpan(_unsafeBytes: bytes)
            do throws(RowDataError) {
                let digest = try unsafe digester.digest(key: key.span.bytes, row: row)
                try readColumns(of: row, indexes: layout)
                try append(key: key, row: row, to: &words)
                words.append("_v" as StaticString)
                words.append(integer: version.number)
                words.append("_d" as StaticString)
                words.append(integer: digest.value)
            } catch {
                result = .failure(error)
            }
        }
        try result.get()
    }

    /// Appends `0 bucket id`.
    static func delete(_ name: ProvisioningEntry.ObjectName, to words: inout BulkStrings) {
        words.append("0" as StaticString)
        words.append(integer: Bucket.index(ofKey: name.key.utf8))
        words.append(name.key)
    }

    /// The columns that are not NULL, the indexed ones first.
    private mutating func readColumns(of row: RawSpan, indexes layout: IndexLayout) throws(RowDataError) {
        columns.removeAll(keepingCapacity: true)
        var reader = RowDataReader()
        while let column = try reader.next(in: row) {
            if column.value != nil { columns.append(column) }
        }
        var front = 0
        for field in layout.fields {
            guard let index = columns[front...].firstIndex(where: { row.holds(field, at: $0.name) }) else { continue }
            if index != front { columns.swapAt(front, index) }
            front += 1
        }
    }

    private func append(key: [UInt8], row: RawSpan, to words: inout BulkStrings) throws(RowDataError) {
        var texts = BulkStrings(capacity: row.byteCount + 64)
        for column in columns {
            guard let value = column.value else { continue }
            try Self.append(column.name, of: row, to: &texts)
            try Self.append(value, of: row, to: &texts)
        }
        words.append(integer: 2 * columns.count + 4)
        words.append(integer: Bucket.index(ofKey: key))
        words.append(key)
        words.append(contentsOf: texts)
    }

    private static func append(
        _ text: RowDataReader.Text, of row: RawSpan, to words: inout BulkStrings
    ) throws(RowDataError) {
        guard text.isEscaped else { return words.append(row.extracting(text.range)) }
        try words.append(expecting: text.range.count) { buffer throws(RowDataError) in
            try text.write(from: row, to: &buffer)
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
}
