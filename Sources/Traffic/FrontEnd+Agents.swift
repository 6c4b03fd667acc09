internal import VoiceEvents

// What a front end answers to requests about agents.
extension FrontEnd {
    /// Who is logged in at a DN.
    func agent(at dn: String) -> String? {
        agents.values.first { isLoggedIn($0, at: dn) }?.agentID
    }

    func login(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        guard let agentID = request.agentID else { throw RequestRefusal(.invalidAttribute, "there is no AgentID") }
        guard agent(at: request.thisDN) == nil else {
            throw RequestRefusal(.isInThatState, "an agent is logged in at ThisDN")
        }
        var event = event(.agentLogin, of: agentID, request)
        event.thisQueue = request.thisQueue
        return [event]
    }

    func logout(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        guard let agentID = agent(at: request.thisDN), request.agentID ?? agentID == agentID else {
            throw RequestRefusal(.invalidState, "the agent is not logged in at ThisDN")
        }
        return [event(.agentLogout, of: agentID, request)]
    }

    func change(_ request: CallRequest, by name: EventName) throws(RequestRefusal) -> [VoiceEvent] {
        guard let agentID = request.agentID, var agent = agents[agentID], isLoggedIn(agent, at: request.thisDN) else {
            throw RequestRefusal(.invalidState, "the agent is not logged in at ThisDN")
        }
        let event = event(name, of: agentID, request)
        guard agent.eventRead(event, at: lastRead, from: region) == .moved else {
            throw RequestRefusal(.isInThatState, "the agent is in that state already")
        }
        return [event]
    }

    private func isLoggedIn(_ agent: AgentMachine, at dn: String) -> Bool {
        agent.session(region: region, dn: dn).map { $0.state != .null } ?? false
    }

    private func event(_ name: EventName, of agentID: String, _ request: CallRequest) -> VoiceEvent {
        var event = VoiceEvent(name, key: agentID)
        event.thisDN = request.thisDN
        event.agentID = agentID
        event.workMode = request.workMode
        event.reasons = request.reason.map { JSONObject.text("Reason", $0) }
        return event
    }
}
