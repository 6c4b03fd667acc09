import VoiceEvents

/// Writes the events of one script, in an order that domain.md's state machines allow: a party joins before the party
/// that sent the call to it leaves, since a call ends when its last party is Null.
struct CallScriptWriter {
    /// One call that the script is about.
    struct Call {
        let connID: String
        let uuid: String
        let callID: Int64
        let threadID: String
        let type: CallType
        /// Of a consult call, the main call.
        var previousConnID: String?
        var ani: String?
        var dnis: String?
    }

    private(set) var events: [VoiceEvent] = []

    // MARK: Calls

    /// Appends an event of `call` at `dn`.
    mutating func at(
        _ dn: String, _ name: EventName, _ call: Call, role: PartyRole = .destination, state: CallState = .ok,
        _ change: (inout VoiceEvent) -> Void = { _ in }
    ) {
        var event = VoiceEvent(name, key: call.connID)
        event.thisDN = dn
        event.thisDNRole = role
        event.connID = call.connID
        event.callID = call.callID
        event.callUUID = call.uuid
        event.callThreadID = call.threadID
        event.callType = call.type
        event.callState = state
        event.previousConnID = call.previousConnID
        if name == .ringing || name == .queued || name == .routeRequest {
            event.ani = call.ani
            event.dnis = call.dnis
        }
        change(&event)
        events.append(event)
    }

    /// A call comes to a queue, which offers it to the agent.
    mutating func offered(_ call: Call, queue: String, to agent: TenantInventory.Agent, data: String?) {
        at(queue, .queued, call) {
            $0.thisQueue = queue
            $0.userData = data
        }
        ringing(call, agent, from: call.ani, queue: queue)
        at(queue, .diverted, call, state: .redirected) {
            $0.thisQueue = queue
            $0.thirdPartyDN = agent.dn
        }
    }

    mutating func ringing(_ call: Call, _ agent: TenantInventory.Agent, from caller: String?, queue: String? = nil) {
        at(agent.dn, .ringing, call) {
            $0.agentID = agent.id
            $0.otherDN = caller
            $0.otherDNRole = .origination
            $0.thisQueue = queue
        }
    }

    mutating func answered(_ call: Call, _ agent: TenantInventory.Agent, role: PartyRole = .destination) {
        at(agent.dn, .established, call, role: role) { $0.agentID = agent.id }
    }

    mutating func heldAndRetrieved(_ call: Call, _ agent: TenantInventory.Agent) {
        at(agent.dn, .held, call) { $0.agentID = agent.id }
        at(agent.dn, .retrieved, call) { $0.agentID = agent.id }
    }

    mutating func released(
        _ call: Call, _ agent: TenantInventory.Agent, role: PartyRole = .destination, state: CallState = .ok
    ) {
        at(agent.dn, .released, call, role: role, state: state) { $0.agentID = agent.id }
    }

    /// The first agent holds the main call and talks to the second one in a consult call.
    mutating func consulted(
        _ main: Call, _ consult: Call, by first: TenantInventory.Agent, with second: TenantInventory.Agent
    ) {
        at(first.dn, .held, main) { $0.agentID = first.id }
        at(first.dn, .dialing, consult, role: .origination) {
            $0.otherDN = second.dn
            $0.otherDNRole = .destination
        }
        ringing(consult, second, from: first.dn)
        answered(consult, second)
        answered(consult, first, role: .origination)
    }

    /// The second agent takes the main call; the first one leaves both.
    mutating func transferred(
        _ main: Call, _ consult: Call, by first: TenantInventory.Agent, to second: TenantInventory.Agent
    ) {
        at(second.dn, .partyChanged, main, role: .newParty, state: .transferred) {
            $0.previousConnID = consult.connID
            $0.agentID = second.id
            $0.thirdPartyDN = first.dn
        }
        released(main, first, state: .transferred)
        released(consult, first, role: .origination, state: .transferred)
    }

    /// The second agent joins the main call, and the first one returns to it.
    mutating func conferenced(
        _ main: Call, _ consult: Call, by first: TenantInventory.Agent, with second: TenantInventory.Agent
    ) {
        at(second.dn, .partyAdded, main, role: .conferenceMember, state: .conferenced) {
            $0.previousConnID = consult.connID
            $0.agentID = second.id
            $0.thirdPartyDN = first.dn
            $0.thirdPartyDNRole = .conferenceMember
        }
        released(consult, first, role: .origination, state: .conferenced)
        at(first.dn, .retrieved, main, role: .conferenceMember, state: .conferenced) { $0.agentID = first.id }
        at(first.dn, .partyDeleted, main, role: .conferenceMember) { $0.otherDN = second.dn }
        released(main, second, role: .conferenceMember)
    }

    // MARK: Agents

    mutating func agent(
        _ name: EventName, _ agent: TenantInventory.Agent, mode: WorkMode? = nil, reasons: String? = nil
    ) {
        var event = VoiceEvent(name, key: agent.id)
        event.thisDN = agent.dn
        event.agentID = agent.id
        event.place = agent.place
        event.workMode = mode
        event.reasons = reasons
        events.append(event)
    }

    /// After-call work, and ready again.
    mutating func wrappedUp(_ agent: TenantInventory.Agent) {
        self.agent(.agentAfterCallWork, agent, mode: .afterCallWork)
        self.agent(.agentReady, agent, mode: .manualIn)
    }
}
