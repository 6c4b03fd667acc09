/// Why an entry of a voice journal cannot be read as an event. Such an entry is mirrored all the same; the projection
/// counts it by this reason and goes on.
package enum VoiceEventError: Error, Hashable, Sendable {
    /// The entry has no field of this name (`event`, `key` or `data`).
    case missingField(String)
    /// `event` is none of the names of domain.md.
    case unknownEvent
    case emptyKey
    /// `key` is no UTF-8.
    case unreadableKey
    /// `data` stops being JSON, or an object of attributes, at this byte.
    case malformed(offset: Int)
    /// `data` nests deeper than 32 levels at this byte.
    case tooDeep(offset: Int)
    /// The string at this byte of `data` is no UTF-8.
    case invalidText(offset: Int)
    /// The attribute holds another kind of value than it must.
    case wrongType(VoiceAttribute, offset: Int)
    case missingAttribute(VoiceAttribute)
    /// The attribute names another call or agent than the entry's `key`.
    case keyMismatch(VoiceAttribute)

    /// A short fixed word for a metric's label.
    package var label: String {
        switch self {
        case .missingField: "missing_field"
        case .unknownEvent: "unknown_event"
        case .emptyKey, .unreadableKey: "key"
        case .malformed, .tooDeep, .invalidText: "malformed"
        case .wrongType: "wrong_type"
        case .missingAttribute: "missing_attribute"
        case .keyMismatch: "key_mismatch"
        }
    }
}
