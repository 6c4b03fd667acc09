internal import PGOutput
internal import Provisioning
internal import RegionConfig
internal import RESP

/// A row as the stream or a copy brings it: columns as ranges of bytes that live as long as this value.
///
/// Safe because it is made and used up within one `withUnsafeBytes`, and every range was checked by the decoder.
@safe struct Row {
    let relation: CapturedRelation
    let columns: [TupleColumn]
    /// The row's columns in `columns`.
    let tuple: Range<Int>
    /// What the log has of the same row before: gives the values that the new one calls unchanged.
    let before: Range<Int>?
    let bytes: UnsafeRawBufferPointer

    /// One column; unchanged values are looked up in the row before.
    @inline(__always)
    subscript(column: Int) -> TupleColumn {
        let value = columns[tuple.lowerBound + column]
        guard value == .unchanged, let before else { return value }
        return columns[before.lowerBound + column]
    }

    /// Writes the row's data without the columns that are left out. True when the log holds all the others; else the
    /// data is that of a patch.
    func write(to writer: inout RowDataWriter) -> Bool {
        var isWhole = true
        writer.begin()
        for column in relation.published {
            switch self[column] {
            case .text(let range):
                let text = unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
                writer.append(column, of: relation.layout, unsafe text.bytes)
            case .null: writer.appendNull(column, of: relation.layout)
            case .unchanged, .absent: isWhole = false
            }
        }
        writer.finish()
        return isWhole
    }

    /// Whether the log holds every column.
    var isWhole: Bool {
        relation.published.allSatisfy { self[$0] != .unchanged && self[$0] != .absent }
    }
}

// The name: what of the row says which object it is.
extension Row {
    /// Appends the tenant's dbid.
    func appendTenant(to strings: inout BulkStrings) {
        let text = unsafe text(relation.tenant)
        strings.append(unsafe text.bytes)
    }

    /// Appends the key.
    func appendKey(to strings: inout BulkStrings) {
        guard relation.key.count > 1 else {
            let text = unsafe text(relation.key[0])
            return strings.append(unsafe text.bytes)
        }
        var key: [UInt8] = []
        for (place, column) in relation.key.enumerated() {
            let text = unsafe text(column)
            ObjectKey.append(unsafe text.bytes, column: place, of: relation.key.count, to: &key)
        }
        strings.append(key)
    }

    /// The first naming column that has no text here; nil when the row names its object.
    func unnamedColumn() -> String? {
        guard isText(relation.tenant) else { return relation.table.tenant }
        for (place, column) in relation.key.enumerated() where !isText(column) { return relation.table.key[place] }
        return nil
    }

    /// Whether both rows are the same object.
    func hasSameName(as other: Row) -> Bool {
        guard unsafe text(relation.tenant).elementsEqual(other.text(relation.tenant)) else { return false }
        return relation.key.allSatisfy { unsafe text($0).elementsEqual(other.text($0)) }
    }

    private func isText(_ column: Int) -> Bool {
        if case .text = self[column] { true } else { false }
    }

    private func text(_ column: Int) -> UnsafeRawBufferPointer {
        guard case .text(let range) = self[column] else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
    }
}
