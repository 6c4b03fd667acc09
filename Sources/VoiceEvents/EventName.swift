/// What happened, by the public T-Lib event numbers (domain.md, "Call events" and "Agents").
///
/// The text form is the case's name behind `Event`: `EventRinging`.
package enum EventName: UInt8, CaseIterable, Hashable, Sendable {
    case error = 52
    case queued = 57
    case diverted = 58
    case abandoned = 59
    case ringing = 60
    case dialing = 61
    case networkReached = 62
    case destinationBusy = 63
    case established = 64
    case released = 65
    case held = 66
    case retrieved = 67
    case partyChanged = 68
    case partyAdded = 69
    case partyDeleted = 70
    case routeRequest = 71
    case routeUsed = 72
    case agentLogin = 73
    case agentLogout = 74
    case agentReady = 75
    case agentNotReady = 76
    case dndOn = 77
    case dndOff = 78
    case attachedDataChanged = 85
    case forwardSet = 88
    case forwardCancel = 89
    case userEvent = 96
    case treatmentApplied = 114
    case treatmentNotApplied = 115
    case treatmentEnd = 116
    case agentAfterCallWork = 118
    case treatmentRequired = 119
    case dnOutOfService = 147
    case dnBackInService = 148
    case bridged = 151
    case queueLogout = 152

    /// The name as an entry's `event` field carries it.
    package var text: String {
        switch self {
        case .error: "EventError"
        case .queued: "EventQueued"
        case .diverted: "EventDiverted"
        case .abandoned: "EventAbandoned"
        case .ringing: "EventRinging"
        case .dialing: "EventDialing"
        case .networkReached: "EventNetworkReached"
        case .destinationBusy: "EventDestinationBusy"
        case .established: "EventEstablished"
        case .released: "EventReleased"
        case .held: "EventHeld"
        case .retrieved: "EventRetrieved"
        case .partyChanged: "EventPartyChanged"
        case .partyAdded: "EventPartyAdded"
        case .partyDeleted: "EventPartyDeleted"
        case .routeRequest: "EventRouteRequest"
        case .routeUsed: "EventRouteUsed"
        case .agentLogin: "EventAgentLogin"
        case .agentLogout: "EventAgentLogout"
        case .agentReady: "EventAgentReady"
        case .agentNotReady: "EventAgentNotReady"
        case .dndOn: "EventDNDOn"
        case .dndOff: "EventDNDOff"
        case .attachedDataChanged: "EventAttachedDataChanged"
        case .forwardSet: "EventForwardSet"
        case .forwardCancel: "EventForwardCancel"
        case .userEvent: "EventUserEvent"
        case .treatmentApplied: "EventTreatmentApplied"
        case .treatmentNotApplied: "EventTreatmentNotApplied"
        case .treatmentEnd: "EventTreatmentEnd"
        case .agentAfterCallWork: "EventAgentAfterCallWork"
        case .treatmentRequired: "EventTreatmentRequired"
        case .dnOutOfService: "EventDNOutOfService"
        case .dnBackInService: "EventDNBackInService"
        case .bridged: "EventBridged"
        case .queueLogout: "EventQueueLogout"
        }
    }

    /// Whose state the event is about; says nothing for events that may be about anything.
    package enum Topic: Hashable, Sendable {
        case call
        case agent
        /// An error or a user's own event: changes no state.
        case free
    }

    package var topic: Topic {
        switch self {
        case .queued, .diverted, .abandoned, .ringing, .dialing, .networkReached, .destinationBusy, .established,
            .released, .held, .retrieved, .partyChanged, .partyAdded, .partyDeleted, .routeRequest, .routeUsed,
            .attachedDataChanged, .treatmentApplied, .treatmentNotApplied, .treatmentEnd, .treatmentRequired, .bridged:
            .call
        case .agentLogin, .agentLogout, .agentReady, .agentNotReady, .agentAfterCallWork, .queueLogout, .dndOn,
            .dndOff, .forwardSet, .forwardCancel, .dnOutOfService, .dnBackInService:
            .agent
        case .error, .userEvent:
            .free
        }
    }

    private static let table = NameTable(EventName.allCases.map { ($0.text, $0.rawValue) })

    /// The event that an entry's `event` field names, or nil for one that is none of ours.
    package init?(_ bytes: Span<UInt8>) {
        guard let number = EventName.table.value(of: bytes, in: 0..<bytes.count) else { return nil }
        self.init(rawValue: number)
    }
}
