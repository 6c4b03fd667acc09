/// Reads the `data` field of an entry, column by column, without copying: ranges into the bytes come out.
///
/// The reader holds no bytes; every call is given the same ones.
///
///     var reader = RowDataReader()
///     while let column = try reader.next(in: bytes) { … }
package struct RowDataReader: Sendable {
    /// A JSON string inside the bytes, without its quotes.
    package struct Text: Hashable, Sendable {
        /// Where it stands.
        package let range: Range<Int>
        /// Whether escapes must be resolved; if not, the bytes at `range` are the text.
        package let isEscaped: Bool
    }

    /// One member of the object.
    package struct Column: Hashable, Sendable {
        /// The column's name.
        package let name: Text
        /// Its value; nil is NULL.
        package let value: Text?
    }

    private enum Place: Sendable {
        /// Before the opening brace. → behindColumn, end
        case outside
        /// Behind a column. → behindColumn, end
        case behindColumn
        /// Behind the closing brace. Final.
        case end
    }

    private var place: Place = .outside
    private var index = 0

    /// Begins at the opening brace.
    package init() {}

    /// The next column, or nil behind the closing brace. After an error the reader is of no further use.
    package mutating func next(in bytes: RawSpan) throws(RowDataError) -> Column? {
        switch place {
        case .end:
            return nil
        case .outside:
            try expect(UInt8(ascii: "{"), in: bytes)
            if try peek(in: bytes) == UInt8(ascii: "}") { return try close(in: bytes) }
        case .behindColumn:
            if try peek(in: bytes) == UInt8(ascii: "}") { return try close(in: bytes) }
            try expect(UInt8(ascii: ","), in: bytes)
        }
        let name = try readText(in: bytes)
        try expect(UInt8(ascii: ":"), in: bytes)
        let value = try readValue(in: bytes)
        place = .behindColumn
        return Column(name: name, value: value)
    }

    private mutating func close(in bytes: RawSpan) throws(RowDataError) -> Column? {
        index += 1
        skipBlanks(in: bytes)
        guard index == bytes.byteCount else { throw RowDataError(.trailingBytes, at: index) }
        place = .end
        return nil
    }

    private mutating func readValue(in bytes: RawSpan) throws(RowDataError) -> Text? {
        guard try peek(in: bytes) != UInt8(ascii: "n") else {
            guard bytes.byteCount - index >= 4, bytes.isNull(at: index) else {
                throw RowDataError(.expectedTextOrNull, at: index)
            }
            index += 4
            return nil
        }
        guard bytes.byte(at: index) == UInt8(ascii: "\"") else { throw RowDataError(.expectedTextOrNull, at: index) }
        return try readText(in: bytes)
    }

    private mutating func readText(in bytes: RawSpan) throws(RowDataError) -> Text {
        try expect(UInt8(ascii: "\""), in: bytes)
        let start = index
        index = bytes.firstSpecial(from: start)
        if index < bytes.byteCount, bytes.byte(at: index) == UInt8(ascii: "\"") {
            index += 1
            return Text(range: start..<index - 1, isEscaped: false)
        }
        return try readEscapedText(from: start, in: bytes)
    }

    @inline(never)
    private mutating func readEscapedText(from start: Int, in bytes: RawSpan) throws(RowDataError) -> Text {
        while index < bytes.byteCount {
            switch bytes.byte(at: index) {
            case UInt8(ascii: "\""):
                index += 1
                return Text(range: start..<index - 1, isEscaped: true)
            case UInt8(ascii: "\\"):
                index += try bytes.escape(at: index).byteCount
            default:
                throw RowDataError(.controlCharacter, at: index)
            }
            index = bytes.firstSpecial(from: index)
        }
        throw RowDataError(.truncated, at: index)
    }

    /// The next byte that is no blank, unread.
    @inline(__always)
    private mutating func peek(in bytes: RawSpan) throws(RowDataError) -> UInt8 {
        if index < bytes.byteCount {
            let byte = bytes.byte(at: index)
            if byte > 0x20 { return byte }
        }
        skipBlanks(in: bytes)
        guard index < bytes.byteCount else { throw RowDataError(.truncated, at: index) }
        return bytes.byte(at: index)
    }

    @inline(__always)
    private mutating func expect(_ byte: UInt8, in bytes: RawSpan) throws(RowDataError) {
        guard try peek(in: bytes) == byte else { throw RowDataError(.expected(byte), at: index) }
        index += 1
    }

    @inline(never)
    private mutating func skipBlanks(in bytes: RawSpan) {
        while index < bytes.byteCount {
            let byte = bytes.byte(at: index)
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return }
            index += 1
        }
    }
}

/// What makes the `data` of an entry unreadable, and where.
package struct RowDataError: Error, Hashable, Sendable {
    /// What was found wrong.
    package enum Kind: Hashable, Sendable {
        /// The bytes end inside the object.
        case truncated
        /// Something else stands where this character must.
        case expected(UInt8)
        /// A value is a number, a flag or nested: columns are text or null.
        case expectedTextOrNull
        /// Below 0x20 and not escaped.
        case controlCharacter
        /// No JSON escape, or half a surrogate pair.
        case invalidEscape
        /// Something follows the object.
        case trailingBytes
        /// Two members have the same name.
        case repeatedColumn
        /// A member has a name that caches keep for themselves.
        case reservedColumn
    }

    /// What was found wrong.
    package let kind: Kind
    /// Offset of the byte.
    package let position: Int

    init(_ kind: Kind, at position: Int) {
        self.kind = kind
        self.position = position
    }
}

extension RowDataError: CustomStringConvertible {
    package var description: String {
        let problem =
            switch kind {
            case .truncated: "the row ends too early"
            case .expected(let byte): "expected \(Character(UnicodeScalar(byte)))"
            case .expectedTextOrNull: "expected a text or null"
            case .controlCharacter: "a control character that is not escaped"
            case .invalidEscape: "not a JSON escape"
            case .trailingBytes: "bytes behind the row"
            case .repeatedColumn: "a column comes twice"
            case .reservedColumn: "a column is named _v or _d"
            }
        return "\(problem) at byte \(position)"
    }
}
