extension VoiceEvent {
    /// Reads an entry of a voice journal.
    ///
    /// Asked for is what state depends on: a known event name, a key, well-formed data, ThisDN for a call's event,
    /// PreviousConnID for a consult call, and agreement of `key` with ConnID or AgentID. Everything else that domain.md
    /// lists as always there is taken as known: an event without `CallThreadID` still moves its party.
    package init(
        event: Span<UInt8>, key: Span<UInt8>, data: Span<UInt8>
    ) throws(VoiceEventError) {
        guard let name = EventName(event) else { throw .unknownEvent }
        guard !key.isEmpty else { throw .emptyKey }
        let keyText: String
        do { keyText = String(copying: try UTF8Span(validating: key)) } catch { throw .unreadableKey }
        self.init(name, key: keyText)
        try readAttributes(data)
        try checkShape()
    }

    /// Reads an entry from its fields, in any order; fields of other names are passed over.
    package init(fields: [(String, String)]) throws(VoiceEventError) {
        var event: String?
        var key: String?
        var data: String?
        for (name, value) in fields {
            switch name {
            case "event": event = value
            case "key": key = value
            case "data": data = value
            default: break
            }
        }
        guard let event else { throw .missingField("event") }
        guard let key else { throw .missingField("key") }
        guard let data else { throw .missingField("data") }
        let (eventBytes, keyBytes, dataBytes) = (Array(event.utf8), Array(key.utf8), Array(data.utf8))
        try self.init(event: eventBytes.span, key: keyBytes.span, data: dataBytes.span)
    }

    private func checkShape() throws(VoiceEventError) {
        switch name.topic {
        case .call:
            if let connID, connID != key { throw .keyMismatch(.connID) }
            if thisDN == nil { throw .missingAttribute(.thisDN) }
            if callType == .consult, previousConnID == nil { throw .missingAttribute(.previousConnID) }
        case .agent:
            if let agentID, agentID != key { throw .keyMismatch(.agentID) }
            if thisDN == nil { throw .missingAttribute(.thisDN) }
        case .free:
            break
        }
    }

    private mutating func readAttributes(_ data: Span<UInt8>) throws(VoiceEventError) {
        var cursor = JSONCursor()
        try cursor.expect(UInt8(ascii: "{"), data)
        if !cursor.take(UInt8(ascii: "}"), data) {
            repeat {
                let (range, escaped) = try cursor.string(data)
                try cursor.expect(UInt8(ascii: ":"), data)
                let attribute =
                    escaped
                    ? VoiceAttribute(rawValue: try JSONText.string(data, range, escaped: true))
                    : VoiceAttribute.named(data, in: range)
                if let attribute {
                    try read(attribute, &cursor, data)
                } else {
                    _ = try cursor.value(data)
                }
            } while cursor.take(UInt8(ascii: ","), data)
            try cursor.expect(UInt8(ascii: "}"), data)
        }
        _ = cursor.peek(data)
        if cursor.offset < data.count { throw .malformed(offset: cursor.offset) }
    }

    private mutating func read(
        _ attribute: VoiceAttribute, _ cursor: inout JSONCursor, _ data: Span<UInt8>
    ) throws(VoiceEventError) {
        switch attribute {
        case .id: id = try attribute.text(&cursor, data)
        case .server: server = try attribute.text(&cursor, data)
        case .thisDN: thisDN = try attribute.text(&cursor, data)
        case .time: time = try attribute.integer(&cursor, data)
        case .callID: callID = try attribute.integer(&cursor, data)
        case .callUUID: callUUID = try attribute.text(&cursor, data)
        case .connID: connID = try attribute.text(&cursor, data)
        case .callState: callState = try attribute.code(&cursor, data).map(CallState.init(rawValue:))
        case .callThreadID: callThreadID = try attribute.text(&cursor, data)
        case .callType: callType = try attribute.code(&cursor, data).map(CallType.init(rawValue:))
        case .thisDNRole: thisDNRole = try attribute.code(&cursor, data).map(PartyRole.init(rawValue:))
        case .otherDN: otherDN = try attribute.text(&cursor, data)
        case .otherDNRole: otherDNRole = try attribute.code(&cursor, data).map(PartyRole.init(rawValue:))
        case .thisQueue: thisQueue = try attribute.text(&cursor, data)
        case .ani: ani = try attribute.text(&cursor, data)
        case .dnis: dnis = try attribute.text(&cursor, data)
        case .agentID: agentID = try attribute.text(&cursor, data)
        case .previousConnID: previousConnID = try attribute.text(&cursor, data)
        case .thirdPartyDN: thirdPartyDN = try attribute.text(&cursor, data)
        case .thirdPartyDNRole: thirdPartyDNRole = try attribute.code(&cursor, data).map(PartyRole.init(rawValue:))
        case .transferConnID: transferConnID = try attribute.text(&cursor, data)
        case .userData: userData = try attribute.json(&cursor, data)
        case .reasons: reasons = try attribute.json(&cursor, data)
        case .extensions: extensions = try attribute.json(&cursor, data)
        case .cause: cause = try attribute.integer(&cursor, data)
        case .referenceID: referenceID = try attribute.integer(&cursor, data)
        case .errorCode: errorCode = try attribute.integer(&cursor, data)
        case .errorMessage: errorMessage = try attribute.text(&cursor, data)
        case .place: place = try attribute.text(&cursor, data)
        case .mediaType: mediaType = try attribute.integer(&cursor, data)
        case .workMode: workMode = try attribute.code(&cursor, data).map(WorkMode.init(rawValue:))
        case .serverStartTime: serverStartTime = try attribute.integer(&cursor, data)
        case .eventSequenceNumber: eventSequenceNumber = try attribute.integer(&cursor, data)
        case .regionDown: regionDown = try attribute.text(&cursor, data)
        }
    }
}

extension VoiceAttribute {
    /// A string, or a number as its text; nil for null.
    fileprivate func text(
        _ cursor: inout JSONCursor, _ data: Span<UInt8>
    ) throws(VoiceEventError) -> String? {
        switch cursor.peek(data) {
        case UInt8(ascii: "\""):
            let (range, escaped) = try cursor.string(data)
            return try JSONText.string(data, range, escaped: escaped)
        case UInt8(ascii: "n"):
            try cursor.word("null", data)
            return nil
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let (range, _) = try cursor.number(data)
            return try JSONText.string(data, range, escaped: false)
        default:
            throw .wrongType(self, offset: cursor.offset)
        }
    }

    /// An integer, or a string that is one; nil for null.
    fileprivate func integer(
        _ cursor: inout JSONCursor, _ data: Span<UInt8>
    ) throws(VoiceEventError) -> Int64? {
        let quoted: Bool
        switch cursor.peek(data) {
        case UInt8(ascii: "n"):
            try cursor.word("null", data)
            return nil
        case UInt8(ascii: "\""):
            quoted = cursor.take(UInt8(ascii: "\""), data)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            quoted = false
        default:
            throw .wrongType(self, offset: cursor.offset)
        }
        let start = cursor.offset
        guard let value = try? cursor.number(data).integer else { throw .wrongType(self, offset: start) }
        if quoted, !cursor.take(UInt8(ascii: "\""), data) { throw .wrongType(self, offset: start) }
        return value
    }

    /// An integer that fits a code.
    fileprivate func code(
        _ cursor: inout JSONCursor, _ data: Span<UInt8>
    ) throws(VoiceEventError) -> Int? {
        try integer(&cursor, data).map { Int($0) }
    }

    /// Any value as its JSON text; nil for null.
    fileprivate func json(
        _ cursor: inout JSONCursor, _ data: Span<UInt8>
    ) throws(VoiceEventError) -> String? {
        let range = try cursor.value(data)
        if data[range.lowerBound] == UInt8(ascii: "n") { return nil }
        return try JSONText.string(data, range, escaped: false)
    }
}
