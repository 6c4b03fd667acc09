/// Texts that are one JSON object (RFC 8259), as an entry's `data` is.
package enum JSONObject {
    /// Checks that `bytes` are one object in UTF-8, at most 32 levels deep. Throws `malformed`, `tooDeep` or `invalidText`.
    package static func check(_ bytes: Span<UInt8>) throws(VoiceEventError) {
        var cursor = JSONCursor()
        guard cursor.peek(bytes) == UInt8(ascii: "{") else { throw .malformed(offset: cursor.offset) }
        _ = try cursor.value(bytes)
        _ = cursor.peek(bytes)
        guard cursor.offset == bytes.count else { throw .malformed(offset: cursor.offset) }
        do {
            _ = try UTF8Span(validating: bytes)
        } catch {
            throw .invalidText(offset: 0)
        }
    }

    /// An object of one member, a text.
    package static func text(_ name: String, _ value: String) -> String {
        var json: [UInt8] = [UInt8(ascii: "{")]
        JSONText.append(name, to: &json)
        json.append(UInt8(ascii: ":"))
        JSONText.append(value, to: &json)
        json.append(UInt8(ascii: "}"))
        return String(decoding: json, as: UTF8.self)
    }

    /// The member of that name, where it is a text; nil in any other object.
    package static func value(of name: String, in object: String) -> String? {
        let bytes = Array(object.utf8)
        var cursor = JSONCursor()
        let isEmpty = !cursor.take(UInt8(ascii: "{"), bytes.span) || cursor.take(UInt8(ascii: "}"), bytes.span)
        guard !isEmpty else { return nil }
        do {
            repeat {
                let member = try cursor.string(bytes.span)
                try cursor.expect(UInt8(ascii: ":"), bytes.span)
                let start = cursor.peek(bytes.span)
                if try JSONText.string(bytes.span, member.range, escaped: member.escaped) == name {
                    guard start == UInt8(ascii: "\"") else { return nil }
                    let value = try cursor.string(bytes.span)
                    return try JSONText.string(bytes.span, value.range, escaped: value.escaped)
                }
                _ = try cursor.value(bytes.span)
            } while cursor.take(UInt8(ascii: ","), bytes.span)
        } catch {
            return nil
        }
        return nil
    }
}
