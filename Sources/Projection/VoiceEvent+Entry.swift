internal import Journal
internal import NIOCore
internal import VoiceEvents

/// What an entry of a voice journal is to the projection.
enum VoiceContent: Sendable {
    case event(VoiceEvent)
    case restated(Restatement)
    /// It changes no state.
    case unreadable

    /// Reads an entry of a journal born in `origin`.
    init(_ entry: JournalEntry, from origin: String) {
        if let event = VoiceEvent(entry) {
            self = .event(event)
        } else if let restated = Restatement(entry, from: origin) {
            self = .restated(restated)
        } else {
            self = .unreadable
        }
    }

    /// The calls and agents that it is about.
    func subjects(of tenant: String) -> [VoiceRecordName] {
        func call(_ id: String) -> VoiceRecordName { VoiceRecordName(tenant: tenant, kind: .call, id: id) }
        func agent(_ id: String) -> VoiceRecordName { VoiceRecordName(tenant: tenant, kind: .agent, id: id) }
        switch self {
        case .event(let event):
            let left = event.connIDLeft.map { [call($0)] } ?? []
            return switch event.subject {
            case .call(let id): [call(id)] + left
            case .agent(let id): [agent(id)] + left
            case .none: left
            }
        case .restated(.call(let told)): return [call(told.connID)]
        case .restated(.agent(let told)): return [agent(told.agentID)]
        case .restated(.end), .unreadable: return []
        }
    }
}

extension Restatement {
    /// Reads an entry of a voice journal; nil for one that is none.
    fileprivate init?(_ entry: JournalEntry, from origin: String) {
        guard let event = entry.value(of: "event"), event.elementsEqual(Self.event.utf8),
            let key = entry.value(of: "key"), let data = entry.value(of: "data")
        else { return nil }
        self.init(key: Array(key).span, data: Array(data).span, from: origin)
    }
}

extension VoiceEvent {
    /// Reads an entry of a voice journal; nil for one that is no event.
    init?(_ entry: JournalEntry) {
        guard let event = entry.value(of: "event"), let key = entry.value(of: "key"),
            let data = entry.value(of: "data")
        else { return nil }
        do {
            try self.init(event: Array(event).span, key: Array(key).span, data: Array(data).span)
        } catch {
            return nil
        }
    }
}
