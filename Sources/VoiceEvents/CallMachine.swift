package import Journal

/// One call: folds its events in the order of its journal and says of each whether it was allowed.
///
/// The state is the parties'; the call ends when its last party is Null. Everything that later events depend on is in
/// `fields`, so that a machine read back behaves like the one that was stored.
package struct CallMachine: Hashable, Sendable {
    /// A DN on the call.
    package struct Party: Hashable, Sendable {
        package let dn: String
        package internal(set) var state: PartyState
        package internal(set) var role: PartyRole
        package internal(set) var agentID: String?
        /// When it came into this state, µs since 1970.
        package internal(set) var since: Int64
    }

    package let connID: String
    /// The region whose journal gave birth to the call.
    package let region: String
    /// Those that are not Null, by rising DN.
    package internal(set) var parties: [Party] = []

    package internal(set) var callID: Int64?
    package internal(set) var callUUID: String?
    package internal(set) var callThreadID: String?
    package internal(set) var callType = CallType.unknown
    package internal(set) var callState = CallState.ok
    /// Of a consult call: the main call.
    package internal(set) var previousConnID: String?
    package internal(set) var ani: String?
    package internal(set) var dnis: String?
    package internal(set) var mediaType: Int64?
    package internal(set) var lastQueue: String?
    /// Attached data as the last event that carried any had it: JSON.
    package internal(set) var userData: String?
    /// The first and the last entry that was folded in.
    package internal(set) var firstEntry: EntryID?
    package internal(set) var lastEntry: EntryID?
    /// Times of the first event, and of the one that ended the call, µs since 1970.
    package internal(set) var beganAt: Int64?
    package internal(set) var endedAt: Int64?

    /// A call of which no event is known yet.
    package init(connID: String, region: String) {
        self.connID = connID
        self.region = region
    }

    /// Nothing was folded in yet.
    package var isNew: Bool { firstEntry == nil }
    package var hasEnded: Bool { endedAt != nil }

    package func party(_ dn: String) -> Party? {
        index(of: dn).map { parties[$0] }
    }

    // MARK: Facts

    /// An event of this call was read at `entry` of the journal born in `origin`.
    package mutating func eventRead(_ event: VoiceEvent, at entry: EntryID, from origin: String) -> Transition {
        guard event.subject == .call(connID: connID), let dn = event.thisDN else { return .illegal(.otherSubject) }
        guard origin == region || event.regionDown == region else { return .illegal(.otherRegion) }
        if hasEnded { return .illegal(.callEnded(by: event.name)) }
        let position = index(of: dn)
        let state = position.map { parties[$0].state } ?? .null
        guard let next = next(of: state, after: event) else {
            return .illegal(isNew ? .callUnknown(by: event.name) : .party(from: state, by: event.name))
        }
        note(event, at: entry)
        if next == state {
            if let position { update(position, event) }
            return .noted
        }
        set(dn, at: position, to: next, event)
        return settled(event)
    }

    /// An event of another call took its party from this one (`VoiceEvent.connIDLeft`).
    package mutating func partyMoved(_ event: VoiceEvent, at entry: EntryID, from origin: String) -> Transition {
        guard event.connIDLeft == connID, let dn = event.thisDN else { return .illegal(.otherSubject) }
        guard origin == region else { return .illegal(.otherRegion) }
        guard let position = index(of: dn) else { return .noted }
        parties.remove(at: position)
        lastEntry = entry
        if let state = event.callState { callState = state }
        return settled(event)
    }

    // MARK: Rules

    /// Besides domain.md's table: a completed transfer or conference brings a party in that is talking already, and
    /// orphans of a region declared down are Released from any state.
    private func next(of state: PartyState, after event: VoiceEvent) -> PartyState? {
        if event.name == .released, event.callState == .systemError, state != .null { return .null }
        if state == .null, !isNew {
            switch (event.name, event.callState) {
            case (.partyChanged, .transferred), (.partyChanged, .conferenced), (.partyAdded, .conferenced):
                return .connected
            default: break
            }
        }
        return state.next(after: event.name)
    }

    private mutating func note(_ event: VoiceEvent, at entry: EntryID) {
        if firstEntry == nil {
            firstEntry = entry
            beganAt = event.time ?? 0
        }
        lastEntry = entry
        callID = event.callID ?? callID
        callUUID = event.callUUID ?? callUUID
        callThreadID = event.callThreadID ?? callThreadID
        if let type = event.callType, type != .unknown { callType = type }
        callState = event.callState ?? callState
        if event.callType == .consult { previousConnID = event.previousConnID }
        ani = event.ani ?? ani
        dnis = event.dnis ?? dnis
        mediaType = event.mediaType ?? mediaType
        lastQueue = event.thisQueue ?? lastQueue
        userData = event.userData ?? userData
    }

    private mutating func update(_ position: Int, _ event: VoiceEvent) {
        parties[position].role = event.thisDNRole ?? parties[position].role
        parties[position].agentID = event.agentID ?? parties[position].agentID
    }

    private mutating func set(_ dn: String, at position: Int?, to state: PartyState, _ event: VoiceEvent) {
        let time = event.time ?? 0
        switch (position, state) {
        case (let position?, .null):
            parties.remove(at: position)
        case (let position?, _):
            parties[position].state = state
            parties[position].since = time
            update(position, event)
        case (nil, _):
            let party = Party(
                dn: dn, state: state, role: event.thisDNRole ?? .unknown, agentID: event.agentID, since: time)
            parties.insert(party, at: parties.firstIndex { $0.dn > dn } ?? parties.count)
        }
    }

    private mutating func settled(_ event: VoiceEvent) -> Transition {
        guard parties.isEmpty else { return .moved }
        endedAt = event.time ?? 0
        return .ended
    }

    private func index(of dn: String) -> Int? {
        parties.firstIndex { $0.dn == dn }
    }
}
