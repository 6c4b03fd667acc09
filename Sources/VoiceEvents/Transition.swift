/// What one event did to the state it was folded into.
package enum Transition: Hashable, Sendable {
    /// Allowed, and the state is another one now.
    case moved
    /// Allowed, and says nothing about state.
    case noted
    /// Allowed, and the call has ended by it: its last party is Null.
    case ended
    /// Not allowed. The event stays in the journal, is counted, and has changed nothing.
    case illegal(IllegalTransition)

    package var isLegal: Bool {
        if case .illegal = self { false } else { true }
    }
}

/// Why an event was not allowed.
package enum IllegalTransition: Hashable, Sendable {
    /// No transition leads from this party's state by this event.
    case party(from: PartyState, by: EventName)
    /// No transition leads from this agent's state on its DN by this event.
    case agent(from: AgentState, by: EventName)
    /// The call is not known, and this event does not begin one.
    case callUnknown(by: EventName)
    case callEnded(by: EventName)
    /// The event is about another call or agent, or about none.
    case otherSubject
    /// The call was born in another region: legs elsewhere are calls of their own (journal.md, "Mirror rules" 6).
    case otherRegion

    /// A short fixed word for a metric's label.
    package var label: String {
        switch self {
        case .party: "party"
        case .agent: "agent"
        case .callUnknown: "call_unknown"
        case .callEnded: "call_ended"
        case .otherSubject: "other_subject"
        case .otherRegion: "other_region"
        }
    }
}
