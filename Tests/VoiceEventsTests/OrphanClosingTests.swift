import Testing
import VoiceEvents

@Suite("A region declared down: its orphans are closed")
struct OrphanClosingTests {
    private let closing = OrphanClosing(region: "east", server: "west", time: 77)

    @Test("every party of an open call is Released with SystemError, from whatever state, and the call ends")
    func calls() throws {
        var call = CallMachine(connID: "M", region: "east")
        for (name, dn) in [
            (EventName.queued, "9001"), (.routeRequest, "9002"), (.ringing, "1"), (.ringing, "2"),
            (.established, "2"), (.dialing, "3"),
        ] {
            #expect(call.eventRead(event(name, "M", dn), at: entry(1), from: "east") == .moved)
        }
        let events = closing.events(closing: call)
        #expect(events.count == 5)
        #expect(events == closing.events(closing: call))
        for (number, event) in events.enumerated() {
            let read = try VoiceEvent(fields: event.fields)
            #expect(read == event)
            #expect(read.callState == .systemError)
            let last = number == events.count - 1
            #expect(call.eventRead(read, at: entry(9), from: "west") == (last ? .ended : .moved))
        }
        #expect(call.endedAt == 77)
        #expect(closing.events(closing: call).isEmpty)
    }

    @Test("a consult call's closing can be read")
    func consult() throws {
        var call = CallMachine(connID: "K", region: "east")
        #expect(call.eventRead(event(.dialing, "K", "1", type: .consult), at: entry(1), from: "east") == .moved)
        for event in closing.events(closing: call) { #expect(try VoiceEvent(fields: event.fields) == event) }
    }

    @Test("its agents are logged out, those of other regions are left alone")
    func agents() throws {
        var agent = AgentMachine(agentID: "A")
        _ = agent.eventRead(event(.agentLogin, agent: "A", "1"), at: entry(2), from: "east")
        _ = agent.eventRead(event(.agentLogin, agent: "A", "2"), at: entry(1), from: "west")
        #expect(agent.current.map(\.dn) == ["1"])
        let events = closing.events(loggingOut: agent)
        #expect(events.map(\.thisDN) == ["1"])
        for event in events {
            let read = try VoiceEvent(fields: event.fields)
            #expect(agent.eventRead(read, at: entry(3), from: "west") == .moved)
        }
        #expect(agent.current.isEmpty)
        #expect(agent.session(region: "west", dn: "2") != nil)
    }

    @Test("another region's calls are left alone")
    func otherRegion() {
        var call = CallMachine(connID: "M", region: "west")
        #expect(call.eventRead(event(.ringing, "M", "1"), at: entry(1), from: "west") == .moved)
        #expect(closing.events(closing: call).isEmpty)
    }
}
