internal import NIOCore
internal import PGOutput
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
}

// Data: the JSON object of a row, `{"dbid":"7","name":null}`, without the columns that are left out or unchanged.
extension Row {
    /// What `appendData` will write.
    struct Measure {
        var byteCount = 2
        /// No text needs escaping.
        var isPlain = true
        /// Some column is not in the log, so this is a patch.
        var hasUnchanged = false
    }

    /// Sizes the JSON object exactly, so that its length can stand before it.
    func measured() -> Measure {
        var measure = Measure()
        var fields = 0
        for index in 0..<relation.columnCount {
            let name = relation.nameRanges[index]
            guard !name.isEmpty else { continue }
            switch self[index] {
            case .text(let range):
                let text = unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
                let extra = unsafe JSONString.extraBytes(text)
                if extra > 0 { measure.isPlain = false }
                measure.byteCount += name.count + range.count + extra + 2
            case .null:
                measure.byteCount += name.count + 4
            case .unchanged, .absent:
                measure.hasUnchanged = true
                continue
            }
            fields += 1
        }
        measure.byteCount += max(0, fields - 1)
        return measure
    }

    /// Appends the JSON object as one string.
    func appendData(_ measure: Measure, to strings: inout BulkStrings) {
        strings.append(expecting: measure.byteCount) { buffer in
            _ = unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: measure.byteCount) { target in
                unsafe writeData(measure, to: target)
            }
        }
    }

    private func writeData(_ measure: Measure, to target: UnsafeMutableRawBufferPointer) -> Int {
        unsafe relation.names.withUnsafeBytes { names in
            var at = 0
            for index in 0..<relation.columnCount {
                let name = relation.nameRanges[index]
                guard !name.isEmpty else { continue }
                let value = self[index]
                guard value != .unchanged, value != .absent else { continue }
                unsafe target[at] = at == 0 ? UInt8(ascii: "{") : UInt8(ascii: ",")
                at += 1
                unsafe target.copy(UnsafeRawBufferPointer(rebasing: names[name]), at: at)
                at += name.count
                if case .text(let range) = value {
                    let text = unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
                    unsafe target[at] = UInt8(ascii: "\"")
                    let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[(at + 1)...])
                    at += 1 + (unsafe JSONString.write(text, isPlain: measure.isPlain, to: rest))
                    unsafe target[at] = UInt8(ascii: "\"")
                    at += 1
                } else {
                    unsafe target.storeBytes(of: Self.null, toByteOffset: at, as: UInt32.self)
                    at += 4
                }
            }
            if at == 0 {
                unsafe target[0] = UInt8(ascii: "{")
                at = 1
            }
            unsafe target[at] = UInt8(ascii: "}")
            return at + 1
        }
    }

    /// `null` as it stands in memory.
    private static let null = UInt32(bigEndian: 0x6e75_6c6c)
}

// The name: what of the row says which object it is.
extension Row {
    /// Appends the tenant's dbid.
    func appendTenant(to strings: inout BulkStrings) {
        unsafe append(text(relation.tenant), to: &strings)
    }

    /// Appends the key columns' text, joined by `:`.
    func appendKey(to strings: inout BulkStrings) {
        guard relation.key.count > 1 else {
            unsafe append(text(relation.key[0]), to: &strings)
            return
        }
        let count = relation.key.reduce(relation.key.count - 1) { unsafe $0 + text($1).count }
        strings.append(expecting: count) { buffer in
            for (place, column) in relation.key.enumerated() {
                if place > 0 { buffer.writeInteger(UInt8(ascii: ":")) }
                _ = unsafe buffer.writeBytes(text(column))
            }
        }
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

    private func append(_ text: UnsafeRawBufferPointer, to strings: inout BulkStrings) {
        strings.append(expecting: text.count) { buffer in
            _ = unsafe buffer.writeBytes(text)
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    fileprivate func copy(_ source: UnsafeRawBufferPointer, at offset: Int) {
        unsafe UnsafeMutableRawBufferPointer(rebasing: self[offset...]).copyMemory(from: source)
    }
}
