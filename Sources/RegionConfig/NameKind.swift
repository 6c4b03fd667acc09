/// The kinds of names in a region file and the characters each may have.
enum NameKind: Sendable {
    /// A region: part of Redis keys and entry fields.
    case region
    /// An object type: part of Redis keys (`cfg:{101}:person:7`).
    case objectType
    /// A replication slot, by PostgreSQL's rule.
    case slot
    /// A PostgreSQL identifier as the catalog spells it; it is quoted where it enters SQL.
    case identifier

    /// For "expected …".
    var expectation: String {
        switch self {
        case .region: "a region name (1 to 32 of a-z, 0-9 and -, beginning and ending with a letter or digit)"
        case .objectType: "an object type (1 to 63 of a-z, 0-9 and _, beginning with a letter)"
        case .slot: "a slot name (1 to 63 of a-z, 0-9 and _)"
        case .identifier: "a PostgreSQL identifier (1 to 63 bytes, no dot, quote or control character)"
        }
    }

    func matches(_ name: String) -> Bool {
        let bytes = name.utf8
        guard let first = bytes.first, let last = bytes.last else { return false }
        switch self {
        case .region:
            return bytes.count <= 32 && bytes.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
                && isLetterOrDigit(first) && isLetterOrDigit(last)
        case .objectType:
            return bytes.count <= 63 && bytes.allSatisfy(isSlotCharacter) && isLetter(first)
        case .slot:
            return bytes.count <= 63 && bytes.allSatisfy(isSlotCharacter)
        case .identifier:
            return bytes.count <= 63 && bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f && !#""'.\"#.utf8.contains($0) }
        }
    }

    private func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte }

    private func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isLetter(byte) || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }

    private func isSlotCharacter(_ byte: UInt8) -> Bool { isLetterOrDigit(byte) || byte == UInt8(ascii: "_") }
}
