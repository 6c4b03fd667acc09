/// State of a party, which is a DN on a call (domain.md's table; numbers as T-Lib's, 0x10000 and 0x20000 modify them).
package enum PartyState: Int, CaseIterable, Hashable, Sendable {
    /// Not on the call. → dialing, alerting, queued, routing
    case null = 0
    /// Waits in a queue. → null
    case queued = 0x9
    /// Rings. → connected, null
    case alerting = 0xA
    /// Dialled a busy destination. → null
    case busy = 0xB
    /// Talks. → held, null
    case connected = 0xC
    /// Calls out and is not answered yet. → connected, busy, null
    case dialing = 0x1000C
    /// Keeps its caller on hold. → connected, null
    case held = 0xE
    /// A routing point that asked where to. → routed, null
    case routing = 0x800
    /// A routing point that was told where to. → null
    case routed = 0x20800

    /// The state after an event of this party, or nil where domain.md's table has no transition.
    ///
    /// Beyond the table, because a call could otherwise never end: a busy party is Released, and a caller may give up
    /// at a routing point (Abandoned). Events that say nothing about the party's own state keep any state but Null.
    package func next(after event: EventName) -> PartyState? {
        switch (self, event) {
        case (.null, .dialing): .dialing
        case (.null, .ringing): .alerting
        case (.null, .queued): .queued
        case (.null, .routeRequest): .routing
        case (.alerting, .established), (.dialing, .established): .connected
        case (.alerting, .released), (.alerting, .abandoned): .null
        case (.dialing, .destinationBusy): .busy
        case (.dialing, .networkReached): .dialing
        case (.dialing, .released), (.busy, .released), (.connected, .released), (.held, .released): .null
        case (.connected, .held): .held
        case (.held, .retrieved): .connected
        case (.queued, .diverted), (.queued, .abandoned): .null
        case (.routing, .routeUsed): .routed
        case (.routed, .diverted), (.routing, .abandoned), (.routed, .abandoned): .null
        case (.null, _): nil
        case (_, .partyChanged), (_, .partyAdded), (_, .partyDeleted), (_, .attachedDataChanged), (_, .bridged),
            (_, .treatmentApplied), (_, .treatmentNotApplied), (_, .treatmentEnd), (_, .treatmentRequired):
            self
        default: nil
        }
    }
}
