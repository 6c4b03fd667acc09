package import NIOCore

extension RowDataReader.Text {
    /// Appends the text, escapes resolved, to `buffer`. `bytes` are those the reader was given.
    package func write(from bytes: RawSpan, to buffer: inout ByteBuffer) throws(RowDataError) {
        try forEachRun(in: bytes) { run in _ = buffer.writeBytes(run) }
    }

    /// Appends the text, escapes resolved, to `array`. `bytes` are those the reader was given.
    package func append(from bytes: RawSpan, to array: inout [UInt8]) throws(RowDataError) {
        try forEachRun(in: bytes) { run in
            unsafe run.withUnsafeBytes { unsafe array.append(contentsOf: $0) }
        }
    }

    /// The text, escapes resolved; ill-formed UTF-8 is repaired.
    package func string(from bytes: RawSpan) throws(RowDataError) -> String {
        var array: [UInt8] = []
        try append(from: bytes, to: &array)
        return String(decoding: array, as: UTF8.self)
    }

    /// Whether the text is `name`; false for a name written with escapes, which ours never are.
    package func equals(_ name: StaticString, in bytes: RawSpan) -> Bool {
        guard !isEscaped, range.count == name.utf8CodeUnitCount, range.upperBound <= bytes.byteCount else {
            return false
        }
        return unsafe bytes.extracting(range).withUnsafeBytes { text in
            unsafe text.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        }
    }

    private func forEachRun(in bytes: RawSpan, _ body: (RawSpan) -> Void) throws(RowDataError) {
        guard range.upperBound <= bytes.byteCount else { throw RowDataError(.truncated, at: bytes.byteCount) }
        let text = bytes.extracting(range)
        guard isEscaped else { return body(text) }
        var index = 0
        while index < text.byteCount {
            let end = text.firstSpecial(from: index)
            if end > index { body(text.extracting(index..<end)) }
            index = end
            guard index < text.byteCount else { return }
            let escape = try text.escape(at: index)
            index += escape.byteCount
            unsafe body(escape.utf8.span.bytes.extracting(0..<escape.utf8Count))
        }
    }
}
