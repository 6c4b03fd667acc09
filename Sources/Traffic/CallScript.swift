import VoiceEvents

/// The events of one call from its beginning to its end, or of one agent's change of mind, in order. What only the
/// moment knows (id, time, sequence number) is filled in when an event is produced.
struct CallScript: Sendable {
    /// Kinds of calls, with how often each comes.
    enum Kind: CaseIterable, Sendable {
        case answered, held, abandonedInQueue, abandonedRinging, routed, transferred, conferenced, outbound, busy
        case internalCall, pause, shiftChange

        var weight: Int {
            switch self {
            case .answered: 30
            case .held: 14
            case .abandonedInQueue: 8
            case .abandonedRinging: 4
            case .routed: 12
            case .transferred: 8
            case .conferenced: 5
            case .outbound: 6
            case .busy: 2
            case .internalCall: 4
            case .pause: 5
            case .shiftChange: 2
            }
        }

        /// Agents that must be free and ready.
        var agents: Int {
            switch self {
            case .abandonedInQueue: 0
            case .transferred, .conferenced, .internalCall: 2
            case .answered, .held, .abandonedRinging, .routed, .outbound, .busy, .pause, .shiftChange: 1
            }
        }

        var needsQueue: Bool {
            switch self {
            case .outbound, .busy, .internalCall, .pause, .shiftChange: false
            default: true
            }
        }
    }

    /// Last event first, so that the next one is taken from the end.
    private var remaining: [VoiceEvent]
    /// Places in the inventory's list of agents that the script keeps busy.
    let agents: [Int]
    /// Whether its agents are logged out when it is over; otherwise they are ready.
    let endsLoggedOut: Bool

    init(events: [VoiceEvent], agents: [Int], endsLoggedOut: Bool = false) {
        remaining = events.reversed()
        self.agents = agents
        self.endsLoggedOut = endsLoggedOut
    }

    var isOver: Bool { remaining.isEmpty }

    mutating func next() -> VoiceEvent? { remaining.popLast() }
}
