package import Journal

/// What a region says once more of its own calls and agents, in its own journal, for regions that began to read behind
/// what was trimmed: the record as it is at the entry's place (journal.md, mirror rule 4).
///
/// Fields on the wire: `event` `Restated`, `key` ConnID, agent ID or the region that asked, `data` JSON: an object with
/// one member, `call`, `agent` or `end`, that holds the fields of the record as texts.
package enum Restatement: Hashable, Sendable {
    /// A call that lives.
    case call(CallMachine)
    /// The agent's sessions and last login in the journal's region, and nothing of other regions.
    case agent(AgentMachine)
    /// Between `since` and here stands a restatement of everything that was live at `since`, as far as it did not end.
    case end(since: EntryID)

    package static let event = "Restated"

    /// Reads an entry of that event in the journal born in `origin`; nil for one that is none.
    package init?(key: Span<UInt8>, data: Span<UInt8>, from origin: String) {
        do {
            let key = String(copying: try UTF8Span(validating: key))
            let (member, fields) = try Restatement.content(of: data)
            switch member {
            case "call":
                let call = try CallMachine(fields: fields)
                guard call.connID == key, call.region == origin, !call.isNew, !call.hasEnded, !call.parties.isEmpty
                else { return nil }
                self = .call(call)
            case "agent":
                let agent = try AgentMachine(fields: fields)
                guard !key.isEmpty, agent.agentID == key, agent.isOnly(of: origin) else { return nil }
                self = .agent(agent)
            case "end":
                guard let since = fields.first(where: { $0.0 == "since" }).flatMap({ EntryID($0.1) }) else {
                    return nil
                }
                self = .end(since: since)
            default: return nil
            }
        } catch {
            return nil
        }
    }

    /// The `data` of an entry that ends a restatement of so many records.
    package static func endData(since: EntryID, records: Int) -> String {
        #"{"end":{"since":"\#(since)","records":"\#(records)"}}"#
    }

    /// The one member of the object, and the texts in it, each named once.
    private static func content(
        of data: Span<UInt8>
    ) throws(VoiceEventError) -> (member: String, fields: [(String, String)]) {
        var cursor = JSONCursor()
        try cursor.expect(UInt8(ascii: "{"), data)
        let member = try text(&cursor, data)
        try cursor.expect(UInt8(ascii: ":"), data)
        try cursor.expect(UInt8(ascii: "{"), data)
        var fields: [(String, String)] = []
        var names: Set<String> = []
        repeat {
            let name = try text(&cursor, data)
            guard names.insert(name).inserted else { throw .malformed(offset: cursor.offset) }
            try cursor.expect(UInt8(ascii: ":"), data)
            fields.append((name, try text(&cursor, data)))
        } while cursor.take(UInt8(ascii: ","), data)
        for _ in 0..<2 { try cursor.expect(UInt8(ascii: "}"), data) }
        _ = cursor.peek(data)
        if cursor.offset < data.count { throw .malformed(offset: cursor.offset) }
        return (member, fields)
    }

    private static func text(_ cursor: inout JSONCursor, _ data: Span<UInt8>) throws(VoiceEventError) -> String {
        let (range, escaped) = try cursor.string(data)
        return try JSONText.string(data, range, escaped: escaped)
    }
}

extension CallMachine {
    /// Whether a survivor ended it, in its own journal, since the call's region was down: nothing brings it back.
    package var wasOrphaned: Bool { hasEnded && callState == .systemError }
}

extension AgentMachine {
    /// Whether something is known of the agent in a region.
    package func isKnown(in region: String) -> Bool {
        lastLogins[region] != nil || sessions.contains { $0.region == region }
    }

    fileprivate func isOnly(of region: String) -> Bool {
        isKnown(in: region) && lastLogins.keys.allSatisfy { $0 == region }
            && sessions.allSatisfy { $0.region == region }
    }

    /// Takes over what a region says of its own sessions of this agent.
    package mutating func restated(_ told: AgentMachine, in region: String) {
        sessions.removeAll { $0.region == region }
        sessions += told.sessions
        sessions.sort { ($0.region, $0.dn) < ($1.region, $1.dn) }
        // Only ever rises, as whose session counts must not go back.
        if let login = told.lastLogins[region] { lastLogins[region] = max(login, lastLogins[region] ?? .zero) }
    }
}
