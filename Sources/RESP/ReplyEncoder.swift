package import NIOCore

/// Writes replies in the wire form of one version of the protocol.
/// https://redis.io/docs/latest/develop/reference/protocol-spec/
package struct ReplyEncoder: Hashable, Sendable {
    package var version: RESPVersion

    package init(version: RESPVersion) {
        self.version = version
    }

    /// Appends `reply` to `buffer`.
    package func encode(_ reply: Reply, into buffer: inout ByteBuffer) {
        switch reply {
        case .simple(let text): Self.line(UInt8(ascii: "+"), text, into: &buffer)
        case .error(let error): Self.line(UInt8(ascii: "-"), error.description, into: &buffer)
        case .integer(let number): Self.integer(number, into: &buffer)
        case .bulk(let bytes): Self.bulk(bytes, into: &buffer)
        case .text(let text): Self.bulk(text, into: &buffer)
        case .null: buffer.writeStaticString(version == .two ? "$-1\r\n" : "_\r\n")
        case .nullArray: buffer.writeStaticString(version == .two ? "*-1\r\n" : "_\r\n")
        case .array(let elements): encode(elements, behind: .array, into: &buffer)
        case .set(let elements): encode(elements, behind: version == .two ? .array : .set, into: &buffer)
        case .push(let elements): encode(elements, behind: version == .two ? .array : .push, into: &buffer)
        case .map(let pairs): encode(pairs, into: &buffer)
        case .pairs(let pairs): encode(apart: pairs, into: &buffer)
        case .double(let number): encode(number, into: &buffer)
        case .boolean(let isTrue): encode(isTrue, into: &buffer)
        case .verbatim(let text): encode(verbatim: text, into: &buffer)
        case .strings(let strings):
            Self.header(.array, strings.count, into: &buffer)
            buffer.writeImmutableBuffer(strings.buffer)
        case .fields(let strings):
            Self.header(version == .two ? .array : .map, strings.count / (version == .two ? 1 : 2), into: &buffer)
            buffer.writeImmutableBuffer(strings.buffer)
        case .elements(let elements, let count):
            Self.header(.array, count, into: &buffer)
            buffer.writeImmutableBuffer(elements)
        }
    }

    private func encode(_ elements: [Reply], behind header: RESPHeader, into buffer: inout ByteBuffer) {
        Self.header(header, elements.count, into: &buffer)
        for element in elements { encode(element, into: &buffer) }
    }

    private func encode(_ pairs: [Reply.Pair], into buffer: inout ByteBuffer) {
        switch version {
        case .two: Self.header(.array, pairs.count * 2, into: &buffer)
        case .three: Self.header(.map, pairs.count, into: &buffer)
        }
        for pair in pairs {
            encode(pair.key, into: &buffer)
            encode(pair.value, into: &buffer)
        }
    }

    private func encode(apart pairs: [Reply.Pair], into buffer: inout ByteBuffer) {
        guard version == .two else { return encode(pairs, into: &buffer) }
        Self.header(.array, pairs.count, into: &buffer)
        for pair in pairs {
            Self.header(.array, 2, into: &buffer)
            encode(pair.key, into: &buffer)
            encode(pair.value, into: &buffer)
        }
    }

    private func encode(_ number: Double, into buffer: inout ByteBuffer) {
        let text = Self.decimal(number)
        switch version {
        case .two: Self.bulk(text, into: &buffer)
        case .three: Self.line(UInt8(ascii: ","), text, into: &buffer)
        }
    }

    private func encode(_ isTrue: Bool, into buffer: inout ByteBuffer) {
        switch version {
        case .two: buffer.writeStaticString(isTrue ? ":1\r\n" : ":0\r\n")
        case .three: buffer.writeStaticString(isTrue ? "#t\r\n" : "#f\r\n")
        }
    }

    private func encode(verbatim text: String, into buffer: inout ByteBuffer) {
        guard version == .three else { return Self.bulk(text, into: &buffer) }
        Self.header(.verbatim, text.utf8.count + 4, into: &buffer)
        buffer.writeStaticString("txt:")
        buffer.writeString(text)
        buffer.writeStaticString("\r\n")
    }
}

extension ReplyEncoder {
    private static func header(_ header: RESPHeader, _ count: Int, into buffer: inout ByteBuffer) {
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: RESPHeader.room) { target in
            unsafe header.write(count, to: target)
        }
    }

    private static func bulk(_ text: String, into buffer: inout ByteBuffer) {
        header(.bulkString, text.utf8.count, into: &buffer)
        buffer.writeString(text)
        buffer.writeStaticString("\r\n")
    }

    private static func bulk(_ bytes: ByteBuffer, into buffer: inout ByteBuffer) {
        header(.bulkString, bytes.readableBytes, into: &buffer)
        buffer.writeImmutableBuffer(bytes)
        buffer.writeStaticString("\r\n")
    }

    private static func integer(_ number: Int64, into buffer: inout ByteBuffer) {
        if number >= 0 { return header(.integer, Int(number), into: &buffer) }
        line(UInt8(ascii: ":"), String(number), into: &buffer)
    }

    /// A line must not end before it ends: what would break it becomes a space, as in Redis.
    private static func line(_ type: UInt8, _ text: String, into buffer: inout ByteBuffer) {
        buffer.writeInteger(type)
        if text.utf8.contains(where: { $0 == 0x0d || $0 == 0x0a }) {
            buffer.writeBytes(text.utf8.map { $0 == 0x0d || $0 == 0x0a ? 0x20 : $0 })
        } else {
            buffer.writeString(text)
        }
        buffer.writeStaticString("\r\n")
    }

    /// The shortest digits that give the same number again, `inf`, `-inf` or `nan`.
    private static func decimal(_ number: Double) -> String {
        guard !number.isNaN else { return "nan" }
        let text = String(number)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
