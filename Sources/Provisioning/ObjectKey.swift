/// The `key` field of a provisioning entry: one text that tells an object apart within its type and tenant.
///
/// A key of one column is that column's text. A key of several is their texts joined by commas, with `\` and `,` inside
/// them written as `\\` and `\,`.
package enum ObjectKey {
    /// Appends the key of an object whose key columns have these texts, in the catalog's order. Pieces of a key are
    /// appended one by one: `column` counts them from 0 and `columnCount` says how many there are.
    package static func append(_ text: RawSpan, column: Int, of columnCount: Int, to key: inout [UInt8]) {
        if column > 0 { key.append(UInt8(ascii: ",")) }
        for offset in 0..<text.byteCount {
            let byte = text.byte(at: offset)
            if columnCount > 1, byte == UInt8(ascii: "\\") || byte == UInt8(ascii: ",") {
                key.append(UInt8(ascii: "\\"))
            }
            key.append(byte)
        }
    }

    /// The key of an object whose key columns have these texts.
    package static func text(_ columns: [String]) -> String {
        var key: [UInt8] = []
        for (index, column) in columns.enumerated() {
            unsafe append(Array(column.utf8).span.bytes, column: index, of: columns.count, to: &key)
        }
        return String(decoding: key, as: UTF8.self)
    }

    /// The texts of the columns of a key; nil for what is no key of so many.
    package static func columns(of key: String, count: Int) -> [String]? {
        guard count > 1 else { return [key] }
        var columns: [[UInt8]] = [[]]
        var bytes = key.utf8.makeIterator()
        while let byte = bytes.next() {
            switch byte {
            case UInt8(ascii: ","): columns.append([])
            case UInt8(ascii: "\\"):
                guard let escaped = bytes.next() else { return nil }
                columns[columns.count - 1].append(escaped)
            default: columns[columns.count - 1].append(byte)
            }
        }
        return columns.count == count ? columns.map { String(decoding: $0, as: UTF8.self) } : nil
    }

    /// SQL that makes the same key of a row.
    package static func sql(_ columns: [String]) -> String {
        guard columns.count > 1 else { return columns.map { SQL.text($0) }.joined() }
        return
            columns
            .map { #"replace(replace(\#(SQL.text($0)), '\', '\\'), ',', '\,')"# }
            .joined(separator: " || ',' || ")
    }
}
