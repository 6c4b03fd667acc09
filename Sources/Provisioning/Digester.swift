internal import Crypto

/// Computes digests of objects, one after the other, in the same memory.
package struct Digester: Sendable {
    private var message: [UInt8] = []
    private var columns: [RowDataReader.Column] = []

    /// With empty memory.
    package init() {}

    /// The digest of the object `key` whose columns are the row data `row`, in any order of columns.
    package mutating func digest(key: RawSpan, row: RawSpan) throws(RowDataError) -> ObjectDigest {
        columns.removeAll(keepingCapacity: true)
        var reader = RowDataReader()
        var isSorted = true
        while let column = try reader.next(in: row) {
            if isSorted, let last = columns.last { isSorted = try !row.precedes(column.name, last.name) }
            columns.append(column)
        }
        if !isSorted { try sortColumns(of: row) }
        message.removeAll(keepingCapacity: true)
        appendLength(key.byteCount)
        unsafe key.withUnsafeBytes { unsafe message.append(contentsOf: $0) }
        for column in columns {
            guard let value = column.value else { continue }
            try append(column.name, from: row)
            try append(value, from: row)
        }
        return ObjectDigest(value: Insecure.MD5.hash(data: message).leading(6))
    }

    /// The digest of the object `key` with these columns, in any order; nil is NULL.
    package mutating func digest(key: String, columns: [(name: String, value: String?)]) -> ObjectDigest {
        message.removeAll(keepingCapacity: true)
        append(key)
        for column in columns.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            guard let value = column.value else { continue }
            append(column.name)
            append(value)
        }
        return ObjectDigest(value: Insecure.MD5.hash(data: message).leading(6))
    }

    // MARK: Pieces

    private mutating func append(_ text: String) {
        appendLength(text.utf8.count)
        message.append(contentsOf: text.utf8)
    }

    private mutating func append(_ text: RowDataReader.Text, from row: RawSpan) throws(RowDataError) {
        guard text.isEscaped else {
            appendLength(text.range.count)
            return try text.append(from: row, to: &message)
        }
        var unescaped: [UInt8] = []
        try text.append(from: row, to: &unescaped)
        appendLength(unescaped.count)
        message.append(contentsOf: unescaped)
    }

    private mutating func appendLength(_ count: Int) {
        message.append(contentsOf: String(count).utf8)
        message.append(UInt8(ascii: ":"))
    }

    /// By the bytes of the names. Typed throws do not pass through `sort`, so names are compared resolved.
    private mutating func sortColumns(of row: RawSpan) throws(RowDataError) {
        var named: [(name: [UInt8], column: RowDataReader.Column)] = []
        for column in columns {
            var name: [UInt8] = []
            try column.name.append(from: row, to: &name)
            named.append((name, column))
        }
        columns = named.sorted { $0.name.lexicographicallyPrecedes($1.name) }.map(\.column)
    }
}

extension Bucket {
    /// The bucket of the object `key`.
    package static func index(ofKey key: some Sequence<UInt8>, buckets: Int = Bucket.count) -> Int {
        Int(Insecure.MD5.hash(data: Array(key)).leading(4) % UInt64(buckets))
    }
}

extension Insecure.MD5.Digest {
    /// The first bytes as a number, most significant first.
    fileprivate func leading(_ count: Int) -> UInt64 {
        prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension RawSpan {
    /// Whether the text `left` stands before `right` by their bytes; escapes resolved.
    fileprivate func precedes(
        _ left: RowDataReader.Text, _ right: RowDataReader.Text
    ) throws(RowDataError) -> Bool {
        if !left.isEscaped, !right.isEscaped {
            for (first, second) in zip(left.range, right.range) where byte(at: first) != byte(at: second) {
                return byte(at: first) < byte(at: second)
            }
            return left.range.count < right.range.count
        }
        var texts: ([UInt8], [UInt8]) = ([], [])
        try left.append(from: self, to: &texts.0)
        try right.append(from: self, to: &texts.1)
        return texts.0.lexicographicallyPrecedes(texts.1)
    }
}
