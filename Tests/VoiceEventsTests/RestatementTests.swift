import Journal
import Testing
import VoiceEvents

@Suite("A call or an agent as its region restates it")
struct RestatementTests {
    private func read(_ key: String, _ data: String, from origin: String = "us-east") -> Restatement? {
        Restatement(key: Array(key.utf8).span, data: Array(data.utf8).span, from: origin)
    }

    /// The JSON of an object whose values are texts.
    private func json(_ member: String, _ fields: [(String, String)]) -> String {
        let texts = fields.map { name, value in
            let escaped = value.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
            return "\"\(name)\":\"\(escaped)\""
        }
        return "{\"\(member)\":{\(texts.joined(separator: ","))}}"
    }

    private func ringing() -> CallMachine {
        var call = CallMachine(connID: "c1", region: "us-east")
        let begin = event(.ringing, "c1", "100") { $0.userData = #"{"a":"b\n"}"# }
        #expect(call.eventRead(begin, at: EntryID(first: 1, second: 1), from: "us-east") == .moved)
        return call
    }

    private func loggedIn(_ region: String = "us-east") -> AgentMachine {
        var agent = AgentMachine(agentID: "A")
        let login = event(.agentLogin, agent: "A", "1", reasons: #"{"why":"\\"}"#)
        #expect(agent.eventRead(login, at: EntryID(first: 2, second: 0), from: region) == .moved)
        return agent
    }

    @Test("a record comes back as it was, whatever its texts hold")
    func records() {
        #expect(read("c1", json("call", ringing().fields)) == .call(ringing()))
        let agent = loggedIn()
        let own = agent.fields.filter { $0.0 == "AgentID" || $0.0.contains(":us-east") }
        #expect(read("A", json("agent", own)) == .agent(agent))
        let end = Restatement.endData(since: EntryID(first: 7, second: 3), records: 12)
        #expect(read("eu-west", end) == .end(since: EntryID(first: 7, second: 3)))
    }

    @Test("what is cut, altered or of somebody else is none")
    func garbage() {
        let call = json("call", ringing().fields)
        for length in 0..<call.utf8.count { #expect(read("c1", String(call.prefix(length))) == nil) }
        #expect(read("c1", call + "x") == nil)
        #expect(read("c2", call) == nil)
        #expect(read("c1", call, from: "eu-west") == nil)
        #expect(read("c1", call.replacing("\"call\"", with: "\"cell\"")) == nil)
        #expect(read("c1", call.replacing("{\"call\"", with: "{\"x\":1,\"call\"")) == nil)
        #expect(read("c1", json("call", ringing().fields + [("endedAt", "9")])) == nil)
        #expect(read("c1", json("call", ringing().fields + [("ConnID", "c1")])) == nil, "a field stands there twice")
        #expect(read("c1", json("call", ringing().fields.filter { !$0.0.hasPrefix("party:") })) == nil)
        #expect(read("c1", json("call", ringing().fields.filter { $0.0 != "firstEntry" })) == nil)
        #expect(read("A", json("agent", loggedIn("eu-west").fields)) == nil)
        #expect(read("A", json("agent", [("AgentID", "A")])) == nil)
        #expect(read("A", json("agent", [("AgentID", "A"), ("login:us-east", "x")])) == nil)
        #expect(read("eu-west", json("end", [("records", "1")])) == nil)
        #expect(read("eu-west", #"{"end":{}}"#) == nil)
        #expect(read("eu-west", #"{"end":{"since":7}}"#) == nil)
    }

    @Test("what a region says of an agent replaces its own sessions, no others, and turns no login back")
    func agent() {
        var agent = loggedIn()
        let other = event(.agentLogin, agent: "A", "9")
        #expect(agent.eventRead(other, at: EntryID(first: 5, second: 0), from: "eu-west") == .moved)
        var told = AgentMachine(agentID: "A")
        #expect(
            told.eventRead(event(.agentLogin, agent: "A", "2"), at: EntryID(first: 1, second: 0), from: "us-east")
                == .moved)
        agent.restated(told, in: "us-east")
        #expect(agent.sessions.map(\.dn) == ["9", "2"])
        #expect(agent.lastLogins == ["us-east": EntryID(first: 2, second: 0), "eu-west": EntryID(first: 5, second: 0)])
        #expect(agent.isKnown(in: "us-east") && !agent.isKnown(in: "ap-south"))
    }
}
