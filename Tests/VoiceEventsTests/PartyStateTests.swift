import Testing
import VoiceEvents

@Suite("Party states: domain.md's table")
struct PartyStateTests {
    /// Each row of the table; what is not here is not allowed.
    private static let table: [(PartyState, EventName, PartyState)] = [
        (.null, .dialing, .dialing), (.null, .ringing, .alerting), (.null, .queued, .queued),
        (.null, .routeRequest, .routing),
        (.alerting, .established, .connected), (.alerting, .released, .null), (.alerting, .abandoned, .null),
        (.dialing, .established, .connected), (.dialing, .destinationBusy, .busy), (.dialing, .released, .null),
        (.dialing, .networkReached, .dialing), (.busy, .released, .null),
        (.connected, .held, .held), (.connected, .released, .null),
        (.held, .retrieved, .connected), (.held, .released, .null),
        (.queued, .diverted, .null), (.queued, .abandoned, .null),
        (.routing, .routeUsed, .routed), (.routed, .diverted, .null),
        (.routing, .abandoned, .null), (.routed, .abandoned, .null),
    ]
    /// Allowed on every party that is there, and without effect on its state.
    private static let neutral: [EventName] = [
        .partyChanged, .partyAdded, .partyDeleted, .attachedDataChanged, .bridged, .treatmentApplied,
        .treatmentNotApplied, .treatmentEnd, .treatmentRequired,
    ]

    @Test("every state with every event", arguments: PartyState.allCases)
    func table(_ state: PartyState) {
        for event in EventName.allCases {
            let row = PartyStateTests.table.first { $0.0 == state && $0.1 == event }
            let expected = row?.2 ?? (state != .null && PartyStateTests.neutral.contains(event) ? state : nil)
            #expect(state.next(after: event) == expected, "\(state) \(event)")
        }
    }

    @Test("numbers are T-Lib's")
    func numbers() {
        #expect(PartyState.dialing.rawValue == PartyState.connected.rawValue | 0x10000)
        #expect(PartyState.alerting.rawValue == 0xA)
        #expect(PartyState.routing.rawValue == 0x800)
    }
}
