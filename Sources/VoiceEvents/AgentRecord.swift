import Journal

// The hash `agent:{t}:<agentID>`: for readers `AgentID`, `state` (of the sessions that count the most available one: 0
// logged out, 1 not ready, 2 ready) and `region`; for the machine one field a login, `login:<region>`, and one a
// session, `session:<region>:<DN>` as `<state> <work mode> <features> <login> <since> <place length> <place><reasons>`.
extension AgentMachine {
    /// The whole record as fields of a flat hash.
    package var fields: [(String, String)] { changes(since: nil).set }

    /// What to write over a record that holds `old`; everything when it holds nothing.
    package func changes(since old: AgentMachine?) -> RecordChange {
        var change = RecordChange()
        change.text("AgentID", old?.agentID, agentID)
        change.integer("state", old.map(\.summary), summary)
        change.text("region", old?.region, region)
        for (region, entry) in lastLogins.sorted(by: { $0.key < $1.key }) where old?.lastLogins[region] != entry {
            change.text("login:" + region, nil, entry.description)
        }
        for session in sessions where old?.session(region: session.region, dn: session.dn) != session {
            change.text(session.fieldName, nil, session.field)
        }
        for session in old?.sessions ?? [] where self.session(region: session.region, dn: session.dn) == nil {
            change.remove(session.fieldName)
        }
        return change
    }

    private var summary: Int64 {
        Int64(current.map(\.state.rawValue).max() ?? 0)
    }

    /// Reads a stored record; fields of names that are not the record's are passed over.
    package init(fields: [(String, String)]) throws(UnreadableRecord) {
        guard let agentID = fields.first(where: { $0.0 == "AgentID" })?.1 else {
            throw UnreadableRecord(field: "AgentID")
        }
        self.init(agentID: agentID)
        for (name, value) in fields {
            if name.hasPrefix("login:") {
                guard let entry = EntryID(value) else { throw UnreadableRecord(field: name) }
                lastLogins[String(name.dropFirst(6))] = entry
            } else if name.hasPrefix("session:") {
                guard let session = Session(name: name, field: value) else { throw UnreadableRecord(field: name) }
                sessions.append(session)
            }
        }
        sessions.sort { ($0.region, $0.dn) < ($1.region, $1.dn) }
    }
}

extension AgentMachine.Session {
    /// The field of the record that holds it.
    package var fieldName: String { "session:\(region):\(dn)" }

    /// What that field holds.
    package var field: String {
        let start = "\(state.rawValue) \(workMode.rawValue) \(features.rawValue) \(login) \(since)"
        // Counted, since either may hold any text; -1 says that there is none.
        return "\(start) \(place?.utf8.count ?? -1) \(place ?? "")\(reasons ?? "")"
    }

    fileprivate init?(name: String, field: String) {
        let names = name.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        let parts = field.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false)
        guard names.count == 3, parts.count == 7, let number = Int(parts[0]), let state = AgentState(rawValue: number),
            let workMode = Int(parts[1]), let features = Int(parts[2]), let login = EntryID(parts[3]),
            let since = Int64(parts[4]), let placeLength = Int(parts[5]), placeLength >= -1
        else { return nil }
        self.init(region: String(names[1]), dn: String(names[2]))
        self.state = state
        self.workMode = WorkMode(rawValue: workMode)
        self.features = AgentMachine.Features(rawValue: features)
        self.login = login
        self.since = since
        let text = Array(parts[6].utf8)
        guard placeLength <= text.count else { return nil }
        let reasons = text.dropFirst(max(0, placeLength))
        if placeLength >= 0 { place = String(decoding: text.prefix(placeLength), as: UTF8.self) }
        if !reasons.isEmpty { self.reasons = String(decoding: reasons, as: UTF8.self) }
    }
}
