internal import Journal
internal import RESP
internal import VoiceEvents

/// What a record is of, and whose.
struct VoiceRecordName: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case call, agent
    }

    let tenant: String
    let kind: Kind
    /// ConnID or agent ID.
    let id: String

    var key: String {
        switch kind {
        case .call: ProjectionKeys.call(tenant: tenant, connID: id)
        case .agent: ProjectionKeys.agent(tenant: tenant, agentID: id)
        }
    }
}

/// A call or an agent as it is kept.
enum VoiceRecord: Sendable {
    case call(CallMachine)
    case agent(AgentMachine)

    /// Reads what the server holds; nil where there is nothing that can be read.
    init?(_ name: VoiceRecordName, _ fields: [(String, String)]) {
        guard !fields.isEmpty else { return nil }
        do {
            switch name.kind {
            case .call: self = .call(try CallMachine(fields: fields))
            case .agent: self = .agent(try AgentMachine(fields: fields))
            }
        } catch {
            return nil
        }
    }

    /// Nothing has happened to it yet, so it is not kept.
    var isNew: Bool {
        switch self {
        case .call(let call): call.isNew
        case .agent(let agent): agent == AgentMachine(agentID: agent.agentID)
        }
    }

    var hasEnded: Bool { if case .call(let call) = self { call.hasEnded } else { false } }

    /// It is an agent with a session in this region that a login elsewhere made void.
    func isSuperseded(in region: String) -> Bool {
        if case .agent(let agent) = self { agent.loss(of: region) != nil } else { false }
    }

    /// What to write over `old`.
    func changes(since old: VoiceRecord?) -> RecordChange {
        switch (self, old) {
        case (.call(let call), .call(let old)): call.changes(since: old)
        case (.call(let call), _): call.changes(since: nil)
        case (.agent(let agent), .agent(let old)): agent.changes(since: old)
        case (.agent(let agent), _): agent.changes(since: nil)
        }
    }
}

/// The words of a call of `rsp2_apply`: commands, each led by the number of its words.
struct GuardedCommands {
    private(set) var words = BulkStrings()

    mutating func append(_ command: [String]) {
        words.append(integer: command.count)
        for word in command { words.append(word) }
    }

    /// A command with any number of words, in pieces that fit on Lua's stack.
    private mutating func append(_ command: String, _ key: String, _ words: [String]) {
        for start in stride(from: 0, to: words.count, by: 1000) {
            append([command, key] + words[start..<min(start + 1000, words.count)])
        }
    }

    /// Notes as of which entry a journal was restated.
    mutating func note(_ journal: JournalName, restated since: EntryID) {
        append(
            [
                "HSET", ProjectionKeys.cursors(tenant: journal.tenant),
                ProjectionKeys.restated(origin: journal.origin), since.description,
            ])
    }

    /// Writes a record over what the server of this region holds of it, and the sets that name such records.
    mutating func write(
        _ record: VoiceRecord, _ name: VoiceRecordName, over old: VoiceRecord?, region: String, recordTime: Int64
    ) {
        // What has ended is to expire: one that goes on is written anew.
        let known = old?.hasEnded == true && !record.hasEnded ? nil : old
        let change = record.changes(since: known)
        if known == nil { append(["DEL", name.key]) }
        append("HDEL", name.key, change.removed)
        append("HSET", name.key, change.set.flatMap { [$0.0, $0.1] })
        switch name.kind {
        case .call:
            let active = ProjectionKeys.activeCalls(tenant: name.tenant)
            if record.hasEnded {
                append(["SREM", active, name.id])
                append(["EXPIRE", name.key, String(recordTime)])
            } else {
                // Also of a call that is known: somebody may have emptied the set.
                append(["SADD", active, name.id])
            }
        case .agent:
            let isSuperseded = record.isSuperseded(in: region)
            guard isSuperseded != (old?.isSuperseded(in: region) ?? false) else { return }
            append([isSuperseded ? "SADD" : "SREM", ProjectionKeys.superseded(tenant: name.tenant), name.id])
        }
    }
}
