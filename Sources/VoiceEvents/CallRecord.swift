import Journal

// The hash `call:{t}:<connID>`: one field an attribute, by T-Lib names where there is one, and one field a party,
// `party:<DN>` holding `<state> <role> <since> <agent ID if known>`.
extension CallMachine {
    /// The whole record as fields of a flat hash.
    package var fields: [(String, String)] { changes(since: nil).set }

    /// What to write over a record that holds `old`; everything when it holds nothing.
    package func changes(since old: CallMachine?) -> RecordChange {
        var change = RecordChange()
        change.text("ConnID", old?.connID, connID)
        change.text("Region", old?.region, region)
        change.integer("CallID", old?.callID, callID)
        change.text("CallUUID", old?.callUUID, callUUID)
        change.text("CallThreadID", old?.callThreadID, callThreadID)
        change.integer("CallType", old.map { Int64($0.callType.rawValue) }, Int64(callType.rawValue))
        change.integer("CallState", old.map { Int64($0.callState.rawValue) }, Int64(callState.rawValue))
        change.text("PreviousConnID", old?.previousConnID, previousConnID)
        change.text("ANI", old?.ani, ani)
        change.text("DNIS", old?.dnis, dnis)
        change.integer("MediaType", old?.mediaType, mediaType)
        change.text("ThisQueue", old?.lastQueue, lastQueue)
        change.text("UserData", old?.userData, userData)
        if old?.firstEntry != firstEntry { change.text("firstEntry", nil, firstEntry?.description) }
        if old?.lastEntry != lastEntry { change.text("lastEntry", nil, lastEntry?.description) }
        change.integer("beganAt", old?.beganAt, beganAt)
        change.integer("endedAt", old?.endedAt, endedAt)
        for party in parties {
            let stored = old?.party(party.dn)
            if stored != party { change.text("party:" + party.dn, nil, party.field) }
        }
        for party in old?.parties ?? [] where self.party(party.dn) == nil {
            change.remove("party:" + party.dn)
        }
        return change
    }

    /// Reads a stored record; fields of names that are not the record's are passed over.
    package init(fields: [(String, String)]) throws(UnreadableRecord) {
        let record = Dictionary(fields, uniquingKeysWith: { $1 })
        guard let connID = record["ConnID"] else { throw UnreadableRecord(field: "ConnID") }
        guard let region = record["Region"] else { throw UnreadableRecord(field: "Region") }
        self.init(connID: connID, region: region)
        let reader = RecordReader(record: record)
        callID = try reader.integer("CallID")
        callUUID = record["CallUUID"]
        callThreadID = record["CallThreadID"]
        callType = CallType(rawValue: try reader.code("CallType"))
        callState = CallState(rawValue: try reader.code("CallState"))
        previousConnID = record["PreviousConnID"]
        ani = record["ANI"]
        dnis = record["DNIS"]
        mediaType = try reader.integer("MediaType")
        lastQueue = record["ThisQueue"]
        userData = record["UserData"]
        firstEntry = try reader.entryID("firstEntry")
        lastEntry = try reader.entryID("lastEntry")
        beganAt = try reader.integer("beganAt")
        endedAt = try reader.integer("endedAt")
        for (name, value) in fields where name.hasPrefix("party:") {
            guard let party = Party(dn: String(name.dropFirst(6)), field: value) else {
                throw UnreadableRecord(field: name)
            }
            parties.append(party)
        }
        parties.sort { $0.dn < $1.dn }
    }
}

extension CallMachine.Party {
    fileprivate var field: String {
        let start = "\(state.rawValue) \(role.rawValue) \(since)"
        return agentID.map { "\(start) \($0)" } ?? start
    }

    fileprivate init?(dn: String, field: String) {
        let parts = field.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, let number = Int(parts[0]), let state = PartyState(rawValue: number), state != .null,
            let role = Int(parts[1]), let since = Int64(parts[2])
        else { return nil }
        self.init(
            dn: dn, state: state, role: PartyRole(rawValue: role), agentID: parts.count > 3 ? String(parts[3]) : nil,
            since: since)
    }
}

/// Reads values out of a stored record.
struct RecordReader {
    let record: [String: String]

    func integer(_ name: String) throws(UnreadableRecord) -> Int64? {
        guard let text = record[name] else { return nil }
        guard let value = Int64(text) else { throw UnreadableRecord(field: name) }
        return value
    }

    /// A code that is always there.
    func code(_ name: String) throws(UnreadableRecord) -> Int {
        guard let value = try integer(name) else { throw UnreadableRecord(field: name) }
        return Int(value)
    }

    func entryID(_ name: String) throws(UnreadableRecord) -> EntryID? {
        guard let text = record[name] else { return nil }
        guard let id = EntryID(text) else { throw UnreadableRecord(field: name) }
        return id
    }
}
