internal import VoiceEvents

// What a front end answers to requests about calls.
extension FrontEnd {
    mutating func make(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        let dn = request.thisDN
        guard let other = request.otherDN, other != dn else {
            throw RequestRefusal(.invalidCalledDN, "OtherDN must be another DN")
        }
        guard !isActive(dn) else { throw RequestRefusal(.invalidState, "a call is active at ThisDN") }
        let call = numbers.main(request.callType ?? .internal, ani: dn, dnis: other)
        return dial(call, from: dn, to: other, userData: request.userData)
    }

    func answerCall(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        let call = try call(of: request, in: [.alerting])
        guard !isActive(request.thisDN) else {
            throw RequestRefusal(.invalidState, "another call is active at ThisDN")
        }
        var answer = Answer()
        answer.at(request.thisDN, .established, call, agent: agent(at: request.thisDN))
        for party in call.parties where party.state == .dialing {
            answer.at(party.dn, .established, call, agent: agent(at: party.dn)) { $0.otherDN = request.thisDN }
        }
        return answer.events
    }

    func hold(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        let call = try call(of: request, in: [.connected])
        var answer = Answer()
        answer.at(request.thisDN, .held, call, agent: agent(at: request.thisDN))
        return answer.events
    }

    func retrieve(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        let call = try call(of: request, in: [.held])
        guard !isActive(request.thisDN) else {
            throw RequestRefusal(.invalidState, "another call is active at ThisDN")
        }
        var answer = Answer()
        answer.at(request.thisDN, .retrieved, call, agent: agent(at: request.thisDN))
        return answer.events
    }

    /// One of two parties takes the other with it; one of more leaves alone.
    func release(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        let dn = request.thisDN
        let call = try call(of: request, in: [.alerting, .dialing, .busy, .connected, .held])
        var answer = Answer()
        answer.at(dn, .released, call, agent: agent(at: dn))
        for party in call.parties where party.dn != dn {
            if call.parties.count > 2 {
                answer.at(party.dn, .partyDeleted, call, agent: agent(at: party.dn)) { $0.otherDN = dn }
            } else {
                answer.at(party.dn, party.state.waits ? .abandoned : .released, call, agent: agent(at: party.dn)) {
                    $0.otherDN = dn
                }
            }
        }
        return answer.events
    }

    func sendDTMF(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        let call = try call(of: request, in: [.connected])
        guard let digits = request.digits else { throw RequestRefusal(.invalidAttribute, "there are no digits") }
        var event = VoiceEvent(.userEvent, key: call.connID)
        event.thisDN = request.thisDN
        event.connID = call.connID
        event.extensions = JSONObject.text("Digits", digits)
        return [event]
    }

    /// Every party hears of it.
    func attachData(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        let call = try call(of: request, in: Set(PartyState.allCases))
        guard let userData = request.userData else { throw RequestRefusal(.invalidAttribute, "there is no UserData") }
        var answer = Answer()
        for party in call.parties {
            answer.at(party.dn, .attachedDataChanged, call, agent: agent(at: party.dn)) {
                $0.userData = userData
                $0.thirdPartyDN = request.thisDN
            }
        }
        return answer.events
    }

    // MARK: Consultation

    mutating func consult(_ request: CallRequest, for purpose: Purpose) throws(RequestRefusal) -> [VoiceEvent] {
        let dn = request.thisDN
        let main = try call(of: request, in: [.connected])
        guard let other = request.otherDN, other != dn, main.party(other) == nil else {
            throw RequestRefusal(.invalidCalledDN, "OtherDN must be a DN that is not on the call")
        }
        guard main.callType != .consult else { throw RequestRefusal(.invalidState, "this is a consult call itself") }
        let isConsulting = calls.values.contains { $0.previousConnID == main.connID && $0.party(dn) != nil }
        guard !isConsulting else { throw RequestRefusal(.invalidState, "there is a consult call already") }
        var answer = Answer()
        answer.at(dn, .held, main, agent: agent(at: dn))
        var consulting = numbers.consult(CallScriptWriter.Call(main))
        (consulting.ani, consulting.dnis) = (dn, other)
        var dialled = dial(consulting, from: dn, to: other, userData: main.userData)
        dialled[0].extensions = JSONObject.text(Purpose.name, purpose.rawValue)
        return answer.events + dialled
    }

    mutating func complete(_ request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        let dn = request.thisDN
        let main = try call(of: request, in: [.held, .connected])
        guard let consult = request.transferConnID.flatMap({ calls[$0] }), consult.previousConnID == main.connID,
            consult.party(dn) != nil
        else { throw RequestRefusal(.invalidConnectionID, "TransferConnID names no consult call of this one") }
        let purpose = purposes[consult.connID] ?? .transfer
        let others = consult.parties.filter { $0.dn != dn }
        guard let other = others.first, others.count == 1, other.state == .connected, main.party(other.dn) == nil,
            main.parties.count > 1
        else {
            throw RequestRefusal(
                purpose == .transfer ? .cannotTransfer : .cannotConference, "nobody has answered the consult call")
        }
        return switch purpose {
        case .transfer: transferred(main, consult, by: dn, to: other.dn)
        case .conference: conferenced(main, consult, by: dn, with: other.dn)
        }
    }

    /// The consulted party takes the place of who has consulted it.
    private func transferred(
        _ main: CallMachine, _ consult: CallMachine, by dn: String, to other: String
    ) -> [VoiceEvent] {
        var answer = Answer()
        answer.at(other, .partyChanged, main, role: .newParty, state: .transferred, agent: agent(at: other)) {
            $0.previousConnID = consult.connID
            $0.thirdPartyDN = dn
        }
        for party in main.parties where party.dn != dn {
            answer.at(party.dn, .partyChanged, main, state: .transferred, agent: agent(at: party.dn)) {
                $0.otherDN = other
                $0.thirdPartyDN = dn
            }
        }
        answer.at(dn, .released, main, state: .transferred, agent: agent(at: dn)) { $0.thirdPartyDN = other }
        answer.at(dn, .released, consult, state: .transferred, agent: agent(at: dn))
        return answer.events
    }

    /// The consulted party joins, and who has consulted it returns.
    private func conferenced(
        _ main: CallMachine, _ consult: CallMachine, by dn: String, with other: String
    ) -> [VoiceEvent] {
        var answer = Answer()
        answer.at(other, .partyAdded, main, role: .conferenceMember, state: .conferenced, agent: agent(at: other)) {
            $0.previousConnID = consult.connID
            $0.thirdPartyDN = dn
            $0.thirdPartyDNRole = .conferenceMember
        }
        for party in main.parties where party.dn != dn {
            answer.at(party.dn, .partyAdded, main, state: .conferenced, agent: agent(at: party.dn)) {
                $0.otherDN = other
                $0.thirdPartyDN = dn
            }
        }
        answer.at(dn, .released, consult, state: .conferenced, agent: agent(at: dn))
        if main.party(dn)?.state == .held {
            answer.at(
                dn, .retrieved, main, role: .conferenceMember, state: .conferenced, agent: agent(at: dn))
        }
        return answer.events
    }

    // MARK: Parties

    /// The call of a request, whose DN is on it in one of these states.
    private func call(of request: CallRequest, in states: Set<PartyState>) throws(RequestRefusal) -> CallMachine {
        guard let call = request.connID.flatMap({ calls[$0] }) else {
            throw RequestRefusal(.invalidConnectionID, "there is no such call")
        }
        guard let party = call.party(request.thisDN) else {
            throw RequestRefusal(.invalidConnectionID, "ThisDN is not on the call")
        }
        guard states.contains(party.state) else {
            throw RequestRefusal(.invalidState, "ThisDN is \(party.state) on the call")
        }
        return call
    }

    private func dial(
        _ call: CallScriptWriter.Call, from dn: String, to other: String, userData: String?
    ) -> [VoiceEvent] {
        var writer = CallScriptWriter()
        let (caller, called) = (agent(at: dn), agent(at: other))
        for name in isBusy(other) ? [EventName.dialing, .destinationBusy] : [.dialing] {
            writer.at(dn, name, call, role: .origination) {
                $0.otherDN = other
                $0.otherDNRole = .destination
                $0.agentID = caller
                $0.userData = userData
            }
        }
        guard !isBusy(other) else { return writer.events }
        writer.at(other, .ringing, call) {
            $0.otherDN = dn
            $0.otherDNRole = .origination
            $0.agentID = called
            $0.userData = userData
        }
        return writer.events
    }

    /// Whether somebody talks or dials there, so that it can take part in no other call at once.
    private func isActive(_ dn: String) -> Bool {
        calls.values.contains { call in
            switch call.party(dn)?.state {
            case .connected, .dialing, .busy: true
            default: false
            }
        }
    }

    private func isBusy(_ dn: String) -> Bool {
        isActive(dn) || calls.values.contains { $0.party(dn)?.state == .alerting }
    }
}

extension PartyState {
    /// Whether the party waits in a queue or at a routing point, from where it does not hang up but goes away.
    fileprivate var waits: Bool {
        switch self {
        case .queued, .routing, .routed: true
        case .null, .alerting, .busy, .connected, .dialing, .held: false
        }
    }
}
