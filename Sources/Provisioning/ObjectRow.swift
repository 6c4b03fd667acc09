internal import Glibc

/// Takes the rows of one object type apart, one after the other in the same memory. What follows from the names of the
/// columns alone is worked out once for rows with the same names.
///
/// Every call after `read` is given the same bytes: none are kept.
package struct ObjectRow: Sendable {
    /// Where a text stands, its escapes resolved.
    fileprivate enum Place {
        case row(Range<Int>)
        /// In `resolved`.
        case resolved(Range<Int>)
    }

    private struct Column {
        let name: Place
        /// nil is NULL.
        let value: Place?
    }

    /// What caches keep beside an object's columns: its version and its digest.
    private static let reserved = [Array("_v".utf8), Array("_d".utf8)]

    private var columns: [Column] = []
    /// Texts that had escapes.
    private var resolved: [UInt8] = []
    /// The columns' names, one behind the other, and where each ends.
    private var names: [UInt8] = []
    private var nameEnds: [Int] = []
    /// Indices of the columns in the order of their names' bytes.
    private var sorted: [Int] = []
    /// Indices of the columns, those that come first before the others.
    private var order: [Int] = []
    /// Names of the columns that come first.
    private let leading: [[UInt8]]
    /// Columns that are not NULL.
    package private(set) var count = 0
    /// Bytes of the longest text of a column that is not NULL.
    package private(set) var longest = 0

    /// Without a row. `leading` columns are handed out before the others.
    package init(leading: [[UInt8]] = []) { self.leading = leading }

    /// Takes row data apart. After an error there is no row.
    package mutating func read(_ row: RawSpan) throws(RowDataError) {
        columns.removeAll(keepingCapacity: true)
        resolved.removeAll(keepingCapacity: true)
        count = 0
        longest = 0
        var reader = RowDataReader()
        while let column = try reader.next(in: row) {
            let name = try place(of: column.name, row)
            guard let text = column.value else {
                columns.append(Column(name: name, value: nil))
                continue
            }
            let value = try place(of: text, row)
            columns.append(Column(name: name, value: value))
            count += 1
            longest = max(longest, name.byteCount, value.byteCount)
        }
        if !hasKnownNames(row) { try learnNames(of: row) }
    }

    /// Hands name and value of each column that is not NULL to `body`: the leading ones, then the others in the order of
    /// the row.
    package func forEachColumn(of row: RawSpan, _ body: (_ name: RawSpan, _ value: RawSpan) -> Void) {
        for index in order {
            let column = columns[index]
            guard let value = column.value else { continue }
            with(column.name, row) { name in with(value, row) { body(name, $0) } }
        }
    }

    /// Hands the value of the column `name` to `body`: nil where it is NULL or not there.
    package func withValue(of name: [UInt8], in row: RawSpan, _ body: (RawSpan?) -> Void) {
        var start = 0
        for (index, end) in nameEnds.enumerated() {
            if names[start..<end].elementsEqual(name) {
                guard let value = columns[index].value else { break }
                return with(value, row) { body($0) }
            }
            start = end
        }
        body(nil)
    }

    /// The digest of the object `key` whose row this is.
    package func digest(key: RawSpan, row: RawSpan) -> ObjectDigest {
        // Each text is led by its length, of 20 digits at most, and a colon.
        let room = key.byteCount + row.byteCount + (2 * count + 1) * 21
        return unsafe withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { memory in
            var message = unsafe ByteWriter(memory)
            message.write(piece: key)
            for index in sorted {
                guard let value = columns[index].value else { continue }
                with(columns[index].name, row) { message.write(piece: $0) }
                with(value, row) { message.write(piece: $0) }
            }
            return message.withBytes { ObjectDigest(ofMessage: $0) }
        }
    }

    // MARK: Texts

    private mutating func place(of text: RowDataReader.Text, _ row: RawSpan) throws(RowDataError) -> Place {
        guard text.isEscaped else { return .row(text.range) }
        let start = resolved.count
        try text.append(from: row, to: &resolved)
        return .resolved(start..<resolved.count)
    }

    private func with(_ place: Place, _ row: RawSpan, _ body: (RawSpan) -> Void) {
        switch place {
        case .row(let range): body(row.extracting(range))
        case .resolved(let range): unsafe body(resolved.span.bytes.extracting(range))
        }
    }

    // MARK: Names

    private func hasKnownNames(_ row: RawSpan) -> Bool {
        guard columns.count == nameEnds.count, !columns.isEmpty else { return false }
        var start = 0
        let known = unsafe names.span.bytes
        for (column, end) in zip(columns, nameEnds) {
            guard column.name.byteCount == end - start else { return false }
            var isSame = false
            with(column.name, row) { isSame = $0.holdsSameBytes(as: known.extracting(start..<end)) }
            guard isSame else { return false }
            start = end
        }
        return true
    }

    private mutating func learnNames(of row: RawSpan) throws(RowDataError) {
        var texts: [[UInt8]] = []
        for column in columns {
            with(column.name, row) { name in unsafe name.withUnsafeBytes { unsafe texts.append(Array($0)) } }
        }
        nameEnds.removeAll()
        names = []
        sorted = texts.indices.sorted { texts[$0].lexicographicallyPrecedes(texts[$1]) }
        order =
            texts.indices.filter { leading.contains(texts[$0]) }
            + texts.indices.filter { !leading.contains(texts[$0]) }
        for (left, right) in zip(sorted, sorted.dropFirst()) where texts[left] == texts[right] {
            throw RowDataError(.repeatedColumn, at: row.byteCount)
        }
        guard !texts.contains(where: { Self.reserved.contains($0) }) else {
            throw RowDataError(.reservedColumn, at: row.byteCount)
        }
        for text in texts {
            names += text
            nameEnds.append(names.count)
        }
    }
}

extension ObjectRow.Place {
    fileprivate var byteCount: Int {
        switch self {
        case .row(let range), .resolved(let range): range.count
        }
    }
}

extension RawSpan {
    fileprivate func holdsSameBytes(as other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        return unsafe withUnsafeBytes { left in
            unsafe other.withUnsafeBytes { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                return unsafe memcmp(left, right, byteCount) == 0
            }
        }
    }
}
