/// One event of a call or an agent, as a voice journal's entry carries it (domain.md, "Call events").
///
/// Attributes that an entry does not carry are nil. Nested values (`userData`, `reasons`, `extensions`) stay JSON text.
package struct VoiceEvent: Hashable, Sendable {
    package var name: EventName
    /// ConnID of the call, or the agent's ID: the entry's `key`.
    package var key: String

    package var id: String?
    package var server: String?
    package var thisDN: String?
    /// When it happened, µs since 1970.
    package var time: Int64?
    /// `serverStartTime` (µs since 1970) and `eventSequenceNumber` together identify an event of a server.
    package var serverStartTime: Int64?
    package var eventSequenceNumber: Int64?

    package var callID: Int64?
    package var callUUID: String?
    package var connID: String?
    package var callState: CallState?
    package var callThreadID: String?
    package var callType: CallType?
    package var thisDNRole: PartyRole?

    package var otherDN: String?
    package var otherDNRole: PartyRole?
    package var thisQueue: String?
    package var ani: String?
    package var dnis: String?
    package var agentID: String?
    /// The main call of a consult call, or the call a party is moved from.
    package var previousConnID: String?
    package var thirdPartyDN: String?
    package var thirdPartyDNRole: PartyRole?
    package var transferConnID: String?
    package var userData: String?
    package var reasons: String?
    package var extensions: String?
    package var cause: Int64?
    package var referenceID: Int64?
    package var errorCode: Int64?
    package var errorMessage: String?
    package var place: String?
    package var mediaType: Int64?
    package var workMode: WorkMode?
    /// The region declared down whose call or agent this event closes.
    package var regionDown: String?

    package init(_ name: EventName, key: String) {
        self.name = name
        self.key = key
    }
}

extension VoiceEvent {
    /// What the event's state belongs to.
    package enum Subject: Hashable, Sendable {
        case call(connID: String)
        case agent(id: String)
        /// It changes no state.
        case none
    }

    package var subject: Subject {
        switch name.topic {
        case .call: .call(connID: key)
        case .agent: .agent(id: key)
        case .free: .none
        }
    }

    /// The call that this event takes its party away from, to join the one it is about: the second half of a completed
    /// transfer or conference. The event is folded into that call as well (`CallMachine.partyMoved`).
    package var connIDLeft: String? {
        guard name == .partyChanged || name == .partyAdded, let previousConnID, previousConnID != key,
            callState == .transferred || callState == .conferenced
        else { return nil }
        return previousConnID
    }
}
