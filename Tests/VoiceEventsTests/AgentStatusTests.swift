import Testing
import VoiceEvents

@Suite("Agent status: the highest of the DNs'")
struct AgentStatusTests {
    private func agent(_ names: EventName...) -> AgentMachine {
        var agent = AgentMachine(agentID: "A")
        for name in names { _ = agent.eventRead(event(name, agent: "A", "1"), at: entry(1), from: "east") }
        return agent
    }

    private func call(_ type: CallType, _ names: EventName...) -> CallMachine {
        var call = CallMachine(connID: "M", region: "east")
        for name in names { _ = call.eventRead(event(name, "M", "1", type: type), at: entry(1), from: "east") }
        return call
    }

    @Test("by sessions alone")
    func sessions() {
        #expect(agent().status(calls: []) == .loggedOut)
        #expect(agent(.agentLogin).status(calls: []) == .notReadyForNextCall)
        #expect(agent(.agentLogin, .agentReady).status(calls: []) == .waitForNextCall)
        #expect(agent(.agentLogin, .agentAfterCallWork).status(calls: []) == .afterCallWork)
        #expect(agent(.agentLogin, .agentLogout).status(calls: []) == .loggedOut)
    }

    @Test("by calls on the agent's DNs")
    func calls() {
        let ready = agent(.agentLogin, .agentReady)
        #expect(ready.status(calls: [call(.inbound, .ringing)]) == .callRinging)
        #expect(ready.status(calls: [call(.outbound, .dialing)]) == .callDialing)
        #expect(ready.status(calls: [call(.inbound, .ringing, .established)]) == .callInbound)
        #expect(ready.status(calls: [call(.consult, .dialing, .established)]) == .callConsult)
        #expect(ready.status(calls: [call(.inbound, .ringing, .established, .held)]) == .callOnHold)
        let both = [call(.inbound, .ringing, .established, .held), call(.consult, .dialing, .established)]
        #expect(ready.status(calls: both) == .callConsult)
        #expect(ready.status(calls: [call(.inbound, .queued)]) == .waitForNextCall)
        #expect(agent(.agentLogin).status(calls: [call(.inbound, .ringing)]) == .notReadyForNextCall)
    }

    @Test("the order is domain.md's")
    func order() {
        #expect(AgentStatus.highest(of: [.callRinging, .onHook, .notReadyForNextCall]) == .notReadyForNextCall)
        #expect(AgentStatus.allCases.first == .notMonitored)
        #expect(AgentStatus.allCases.last == .loggedOut)
        #expect(AgentStatus.allCases.count == 17)
    }
}
