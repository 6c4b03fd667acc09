import Journal
import Testing
import VoiceEvents

@testable import Traffic

@Suite("The stand-in front end") struct FrontEndTests {
    @Test("a call is made, answered, held, retrieved and released")
    func basicCall() {
        var scene = FrontEndScene()
        #expect(scene.ask(.make, "1001") { $0.otherDN = "1002" } == ["Dialing@1001", "Ringing@1002"])
        let call = scene.lastCall
        #expect(scene.state(call, "1001") == .dialing)
        #expect(scene.state(call, "1002") == .alerting)
        #expect(scene.ask(.answer, "1002") { $0.connID = call } == ["Established@1002", "Established@1001"])
        #expect(scene.ask(.hold, "1002") { $0.connID = call } == ["Held@1002"])
        #expect(scene.state(call, "1002") == .held)
        #expect(scene.ask(.retrieve, "1002") { $0.connID = call } == ["Retrieved@1002"])
        #expect(scene.state(call, "1002") == .connected)
        #expect(scene.ask(.release, "1001") { $0.connID = call } == ["Released@1001", "Released@1002"])
        #expect(scene.state(call, "1001") == nil)
    }

    @Test("every event has the request's reference and what all events of calls have; no two have one number")
    func attributes() {
        var scene = FrontEndScene()
        _ = scene.ask(.make, "1001") { request in
            request.otherDN = "1002"
            request.userData = #"{"a":1}"#
        }
        _ = scene.ask(.answer, "1002") { [call = scene.lastCall] in $0.connID = call }
        for event in scene.journal {
            #expect(event.id != nil && event.server != nil && event.thisDN != nil && event.time != nil)
            #expect(event.callID != nil && event.callUUID != nil && event.connID == event.key)
            #expect(event.callType == .internal && event.callState == .ok && event.thisDNRole != nil)
            #expect(event.callThreadID != nil)
        }
        #expect(scene.journal.map(\.referenceID) == [1, 1, 2, 2])
        #expect(scene.journal.map(\.eventSequenceNumber) == [1, 2, 3, 4])
        #expect(scene.journal[0].userData == #"{"a":1}"#)
        #expect(scene.journal[1].ani == "1001" && scene.journal[1].dnis == "1002")
    }

    @Test("who is called while busy is not rung, and the caller hangs up")
    func busy() {
        var scene = FrontEndScene()
        _ = scene.talk("1001", "1002")
        #expect(scene.ask(.make, "1003") { $0.otherDN = "1002" } == ["Dialing@1003", "DestinationBusy@1003"])
        let call = scene.lastCall
        #expect(scene.state(call, "1003") == .busy)
        #expect(scene.ask(.release, "1003") { $0.connID = call } == ["Released@1003"])
        #expect(scene.frontEnd.calls.count == 1)
    }

    @Test("a transfer leaves the other two on the main call")
    func transfer() throws {
        var scene = FrontEndScene()
        let (main, consult) = scene.consultation(.transfer)
        #expect(scene.state(main, "1002") == .held)
        let dialing = try #require(scene.journal.last { $0.name == .dialing })
        #expect(dialing.callType == .consult && dialing.previousConnID == main && consult != main)
        let outcome = scene.complete(main, consult)
        #expect(outcome == ["PartyChanged@1003", "PartyChanged@1001", "Released@1002", "Released@1002"])
        #expect(scene.journal.suffix(4).allSatisfy { $0.callState == .transferred })
        #expect(scene.state(main, "1001") == .connected)
        #expect(scene.state(main, "1002") == nil)
        #expect(scene.state(main, "1003") == .connected)
        #expect(scene.frontEnd.calls[consult] == nil)
        #expect(scene.ask(.release, "1003") { $0.connID = main } == ["Released@1003", "Released@1001"])
        #expect(scene.frontEnd.calls.isEmpty && scene.frontEnd.purposes.isEmpty)
    }

    @Test("a conference has all three; one leaves alone, the last two together")
    func conference() {
        var scene = FrontEndScene()
        let (main, consult) = scene.consultation(.conference)
        let outcome = scene.complete(main, consult)
        #expect(outcome == ["PartyAdded@1003", "PartyAdded@1001", "Released@1002", "Retrieved@1002"])
        for dn in ["1001", "1002", "1003"] { #expect(scene.state(main, dn) == .connected) }
        #expect(scene.frontEnd.calls.count == 1)
        let left = scene.ask(.release, "1002") { $0.connID = main }
        #expect(left == ["Released@1002", "PartyDeleted@1001", "PartyDeleted@1003"])
        #expect(scene.ask(.release, "1003") { $0.connID = main } == ["Released@1003", "Released@1001"])
        #expect(scene.frontEnd.calls.isEmpty)
    }

    @Test("attached data reaches every party, digits are an event of the user's")
    func data() throws {
        var scene = FrontEndScene()
        let call = scene.talk("1001", "1002")
        let changed = scene.ask(.attachData, "1002") { request in
            request.connID = call
            request.userData = #"{"order":17}"#
        }
        #expect(changed == ["AttachedDataChanged@1001", "AttachedDataChanged@1002"])
        #expect(scene.frontEnd.calls[call]?.userData == #"{"order":17}"#)
        let sent = scene.ask(.sendDTMF, "1001") { request in
            request.connID = call
            request.digits = "12#"
        }
        #expect(sent == ["UserEvent@1001"])
        #expect(scene.journal.last?.extensions == #"{"Digits":"12#"}"#)
    }

    @Test("an agent logs in, becomes ready and not ready, and logs out; calls name the agent")
    func agents() {
        var scene = FrontEndScene()
        let login = scene.ask(.login, "1001") { request in
            request.agentID = "A1"
            request.thisQueue = "9001"
            request.workMode = .manualIn
        }
        #expect(login == ["AgentLogin@1001"])
        #expect(scene.journal.last?.thisQueue == "9001" && scene.journal.last?.workMode == .manualIn)
        #expect(scene.ask(.ready, "1001") { $0.agentID = "A1" } == ["AgentReady@1001"])
        _ = scene.ask(.make, "1002") { $0.otherDN = "1001" }
        #expect(scene.journal.last?.name == .ringing && scene.journal.last?.agentID == "A1")
        let pause = scene.ask(.notReady, "1001") { request in
            request.agentID = "A1"
            request.reason = "Lunch"
            request.workMode = .auxWork
        }
        #expect(pause == ["AgentNotReady@1001"])
        #expect(scene.journal.last?.reasons == #"{"Reason":"Lunch"}"#)
        #expect(scene.ask(.logout, "1001") == ["AgentLogout@1001"])
        #expect(scene.frontEnd.agent(at: "1001") == nil)
    }

    @Test("what no state allows is an error, and changes nothing")
    func refusals() {
        var scene = FrontEndScene()
        let call = scene.talk("1001", "1002")
        let before = scene.frontEnd.calls
        #expect(scene.ask(.answer, "1002") { $0.connID = call } == ["Error@1002 185"])
        #expect(scene.ask(.retrieve, "1002") { $0.connID = call } == ["Error@1002 185"])
        #expect(scene.ask(.hold, "1003") { $0.connID = call } == ["Error@1003 56"])
        #expect(scene.ask(.hold, "1001") { $0.connID = "none" } == ["Error@1001 56"])
        #expect(scene.ask(.make, "1001") { $0.otherDN = "1003" } == ["Error@1001 185"])
        #expect(scene.ask(.make, "1004") == ["Error@1004 71"])
        #expect(scene.ask(.sendDTMF, "1001") { $0.connID = call } == ["Error@1001 53"])
        #expect(scene.ask(.transfer, "1001") { $0.connID = call } == ["Error@1001 71"])
        #expect(scene.complete(call, "none") == ["Error@1002 56"])
        #expect(scene.ask(.logout, "1001") == ["Error@1001 185"])
        #expect(scene.ask(.ready, "1001") { $0.agentID = "A1" } == ["Error@1001 185"])
        #expect(scene.frontEnd.calls == before)
        #expect(scene.journal.last?.referenceID == 13 && scene.journal.last?.errorMessage?.isEmpty == false)
    }

    @Test("agents: twice the same is refused, and nobody logs in where somebody is")
    func refusesAgents() {
        var scene = FrontEndScene()
        _ = scene.ask(.login, "1001") { $0.agentID = "A1" }
        #expect(scene.ask(.login, "1001") { $0.agentID = "A2" } == ["Error@1001 43"])
        _ = scene.ask(.ready, "1001") { $0.agentID = "A1" }
        #expect(scene.ask(.ready, "1001") { $0.agentID = "A1" } == ["Error@1001 43"])
        #expect(scene.ask(.logout, "1001") { $0.agentID = "A2" } == ["Error@1001 185"])
        #expect(scene.ask(.notReady, "1002") { $0.agentID = "A1" } == ["Error@1002 185"])
    }

    @Test(
        "a consultation that nobody has answered is not completed",
        arguments: [(CallRequest.Kind.transfer, "98"), (.conference, "96")])
    func unanswered(kind: CallRequest.Kind, code: String) {
        var scene = FrontEndScene()
        let (main, consult) = scene.consultation(kind, answered: false)
        #expect(scene.complete(main, consult) == ["Error@1002 \(code)"])
        #expect(scene.state(main, "1002") == .held)
        // Nor is there a second one meanwhile.
        _ = scene.ask(.release, "1002") { $0.connID = consult }
        #expect(scene.frontEnd.calls[consult] == nil)
        #expect(scene.ask(.retrieve, "1002") { $0.connID = main } == ["Retrieved@1002"])
    }

    @Test("one that begins with records knows what the former one knew, whatever is kept of the journal")
    func readsRecords() {
        var former = FrontEndScene()
        _ = former.ask(.login, "1001") { $0.agentID = "A1" }
        let talk = former.talk("1004", "1005")
        let (main, consult) = former.consultation(.conference)
        _ = former.ask(.release, "1004") { $0.connID = talk }
        let count = former.journal.count
        for trimmed in [0, 1, count / 2, count] {
            for cursor in [trimmed, count / 2, count] where cursor >= trimmed {
                var scene = former
                scene.restart(trimmed: trimmed, cursor: cursor)
                #expect(scene.frontEnd.calls == former.frontEnd.calls, "\(trimmed) \(cursor)")
                #expect(scene.frontEnd.agents.keys == former.frontEnd.agents.keys)
                #expect(scene.ask(.logout, "1001") { $0.agentID = "A1" } == ["AgentLogout@1001"])
                // Why there was a consultation is in no record: the journal tells, while it is kept.
                let completed = scene.complete(main, consult)
                #expect(completed.contains { $0.hasPrefix("PartyAdded") } == (trimmed < count), "\(completed)")
                #expect(scene.ask(.release, "1001") { $0.connID = main }.first == "Released@1001")
            }
        }
    }

    @Test("records of other regions' calls and agents are nothing to it")
    func readsOwnRecords() {
        var frontEnd = FrontEnd(region: "us-east", server: "s", startTime: 1)
        frontEnd.recordRead(CallMachine(connID: "c1", region: "eu-west"))
        frontEnd.recordRead(AgentMachine(agentID: "A1"))
        #expect(frontEnd.calls.isEmpty && frontEnd.agents.isEmpty)
    }

    @Test("one that begins anew knows from the journal what the one before it knew, and gives other numbers")
    func restarts() {
        var scene = FrontEndScene()
        _ = scene.ask(.login, "1002") { $0.agentID = "A1" }
        let (main, consult) = scene.consultation(.conference)
        let calls = scene.frontEnd.calls
        scene.restart()
        #expect(scene.frontEnd.calls == calls)
        #expect(scene.frontEnd.agent(at: "1002") == "A1")
        #expect(scene.complete(main, consult).first == "PartyAdded@1003")
        _ = scene.ask(.make, "1004") { $0.otherDN = "1005" }
        #expect(![main, consult].contains(scene.lastCall))
    }

    @Test("entries that are no events are passed over")
    func passesOver() {
        var scene = FrontEndScene()
        let call = scene.talk("1001", "1002")
        var frontEnd = scene.frontEnd
        frontEnd.entryRead([("event", "EventBogus"), ("key", call), ("data", "{")], at: EntryID(first: 99, second: 1))
        frontEnd.entryRead([], at: EntryID(first: 99, second: 2))
        #expect(frontEnd.calls == scene.frontEnd.calls)
        #expect(frontEnd.lastRead == EntryID(first: 99, second: 2))
    }

    @Test("the machines allow every event of it, whatever is asked for", arguments: [1, 2, 3] as [UInt64])
    func alwaysLegal(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var scene = FrontEndScene()
        var reader = Reader()
        var errors = 0
        for number in 0..<3_000 {
            let kind = CallRequest.Kind.allCases[random.below(CallRequest.Kind.allCases.count)]
            let connIDs = scene.frontEnd.calls.keys.sorted() + ["none"]
            let read = scene.journal.count
            let outcome = scene.ask(kind, "\(1000 + random.below(6))") { request in
                request.otherDN = "\(1000 + random.below(6))"
                request.connID = connIDs[random.below(connIDs.count)]
                request.transferConnID = connIDs[random.below(connIDs.count)]
                request.agentID = "A\(random.below(4))"
                request.userData = "{}"
                request.digits = "1"
            }
            if outcome.contains(where: { $0.hasPrefix("Error") }) { errors += 1 }
            for event in scene.journal[read...] {
                let problem = reader.read(event, at: EntryID(first: UInt64(number + 1), second: 0))
                try #require(problem == nil, "seed \(seed), request \(number), \(kind): \(event.name) \(problem ?? "")")
            }
        }
        #expect(errors < 2_900)
    }
}

/// Folds events as the projection does.
private struct Reader {
    private var calls: [String: CallMachine] = [:]
    private var agents: [String: AgentMachine] = [:]

    /// Why the event is not allowed.
    mutating func read(_ event: VoiceEvent, at entry: EntryID) -> String? {
        var transition = Transition.noted
        switch event.subject {
        case .call(let connID):
            var call = calls[connID] ?? CallMachine(connID: connID, region: "us-east")
            transition = call.eventRead(event, at: entry, from: "us-east")
            calls[connID] = call
            if let left = event.connIDLeft, var call = calls[left] {
                _ = call.partyMoved(event, at: entry, from: "us-east")
                calls[left] = call
            }
        case .agent(let id):
            var agent = agents[id] ?? AgentMachine(agentID: id)
            transition = agent.eventRead(event, at: entry, from: "us-east")
            agents[id] = agent
        case .none: break
        }
        return transition.isLegal ? nil : "\(transition)"
    }
}
