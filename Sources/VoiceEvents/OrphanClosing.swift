/// The events that close what a region declared down has left open: every party of its calls is Released with CallState
/// SystemError, every agent logged in there is logged out (domain.md, "What crosses regions").
///
/// The survivor appends them to its own journal, behind the declared cut. The same records give the same events.
package struct OrphanClosing: Sendable {
    /// The region declared down.
    package let region: String
    /// `Server` of the survivor, who writes the events.
    package let server: String
    /// When it was declared, µs since 1970.
    package let time: Int64

    package init(region: String, server: String, time: Int64) {
        self.region = region
        self.server = server
        self.time = time
    }

    /// Empty for a call that has ended, or was born in another region.
    package func events(closing call: CallMachine) -> [VoiceEvent] {
        guard call.region == region, !call.hasEnded else { return [] }
        return call.parties.map { party in
            var event = VoiceEvent(.released, key: call.connID)
            mark(&event, dn: party.dn)
            event.connID = call.connID
            event.callID = call.callID
            event.callUUID = call.callUUID
            event.callThreadID = call.callThreadID
            event.callType = call.callType
            event.previousConnID = call.previousConnID
            event.callState = .systemError
            event.thisDNRole = party.role
            event.agentID = party.agentID
            return event
        }
    }

    /// Empty for an agent who has no session in the region.
    package func events(loggingOut agent: AgentMachine) -> [VoiceEvent] {
        agent.sessions.filter { $0.region == region && $0.state != .null }.map { session in
            var event = VoiceEvent(.agentLogout, key: agent.agentID)
            mark(&event, dn: session.dn)
            event.agentID = agent.agentID
            event.place = session.place
            return event
        }
    }

    private func mark(_ event: inout VoiceEvent, dn: String) {
        event.id = "\(region)-down-\(time)-\(event.key)-\(dn)"
        event.server = server
        event.thisDN = dn
        event.time = time
        event.regionDown = region
    }
}
