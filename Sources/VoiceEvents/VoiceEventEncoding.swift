extension VoiceEvent {
    /// The entry's fields, in the order that journal.md gives.
    package var fields: [(String, String)] {
        [("event", name.text), ("key", key), ("data", String(decoding: encodedData(), as: UTF8.self))]
    }

    /// The attributes that are there, as the JSON of the entry's `data`.
    package func encodedData() -> [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(384)
        appendData(to: &json)
        return json
    }

    /// Appends what `encodedData` gives.
    package func appendData(to json: inout [UInt8]) {
        var writer = AttributeWriter(json: json)
        json = []  // one owner, so that the writer grows it in place
        writer.text(.id, id)
        writer.text(.server, server)
        writer.text(.thisDN, thisDN)
        writer.integer(.time, time)
        writer.integer(.serverStartTime, serverStartTime)
        writer.integer(.eventSequenceNumber, eventSequenceNumber)
        writer.integer(.callID, callID)
        writer.text(.callUUID, callUUID)
        writer.text(.connID, connID)
        writer.code(.callState, callState?.rawValue)
        writer.text(.callThreadID, callThreadID)
        writer.code(.callType, callType?.rawValue)
        writer.code(.thisDNRole, thisDNRole?.rawValue)
        writer.text(.otherDN, otherDN)
        writer.code(.otherDNRole, otherDNRole?.rawValue)
        writer.text(.thisQueue, thisQueue)
        writer.text(.ani, ani)
        writer.text(.dnis, dnis)
        writer.text(.agentID, agentID)
        writer.text(.previousConnID, previousConnID)
        writer.text(.thirdPartyDN, thirdPartyDN)
        writer.code(.thirdPartyDNRole, thirdPartyDNRole?.rawValue)
        writer.text(.transferConnID, transferConnID)
        writer.json(.userData, userData)
        writer.json(.reasons, reasons)
        writer.json(.extensions, extensions)
        writer.integer(.cause, cause)
        writer.integer(.referenceID, referenceID)
        writer.integer(.errorCode, errorCode)
        writer.text(.errorMessage, errorMessage)
        writer.text(.place, place)
        writer.integer(.mediaType, mediaType)
        writer.code(.workMode, workMode?.rawValue)
        writer.text(.regionDown, regionDown)
        json = writer.finish()
    }
}

private struct AttributeWriter {
    private var json: [UInt8]
    private var isFirst = true

    init(json: consuming [UInt8]) {
        self.json = json
        self.json.append(UInt8(ascii: "{"))
    }

    mutating func text(_ attribute: VoiceAttribute, _ value: String?) {
        guard let value else { return }
        name(attribute)
        JSONText.append(value, to: &json)
    }

    mutating func integer(_ attribute: VoiceAttribute, _ value: Int64?) {
        guard let value else { return }
        name(attribute)
        json.append(contentsOf: String(value).utf8)
    }

    mutating func code(_ attribute: VoiceAttribute, _ value: Int?) {
        integer(attribute, value.map { Int64($0) })
    }

    /// `value` is JSON already.
    mutating func json(_ attribute: VoiceAttribute, _ value: String?) {
        guard let value else { return }
        name(attribute)
        json.append(contentsOf: value.utf8)
    }

    consuming func finish() -> [UInt8] {
        json.append(UInt8(ascii: "}"))
        return json
    }

    private mutating func name(_ attribute: VoiceAttribute) {
        if !isFirst { json.append(UInt8(ascii: ",")) }
        isFirst = false
        json.append(UInt8(ascii: "\""))
        json.append(contentsOf: attribute.rawValue.utf8)
        json.append(UInt8(ascii: "\""))
        json.append(UInt8(ascii: ":"))
    }
}
