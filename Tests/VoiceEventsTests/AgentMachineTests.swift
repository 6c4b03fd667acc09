import Journal
import Testing
import Traffic
import VoiceEvents

@Suite("Agent machine: one agent over all regions")
struct AgentMachineTests {
    @Test("login, ready, not ready, after-call work, logout, each stored and read back")
    func day() throws {
        var agent = AgentMachine(agentID: "A")
        var stored: [String: String] = [:]
        let day: [(VoiceEvent, AgentState, WorkMode)] = [
            (event(.agentLogin, agent: "A", "1", mode: .manualIn), .notReady, .manualIn),
            (event(.agentReady, agent: "A", "1", mode: .autoIn), .ready, .autoIn),
            (event(.agentAfterCallWork, agent: "A", "1", reasons: #"{"r":"a b"}"#), .notReady, .afterCallWork),
            (event(.agentNotReady, agent: "A", "1", mode: .auxWork), .notReady, .auxWork),
            (event(.dndOn, agent: "A", "1"), .notReady, .auxWork),
            (event(.agentReady, agent: "A", "1", mode: .manualIn), .ready, .manualIn),
            (event(.agentReady, agent: "A", "1", mode: .autoIn), .ready, .autoIn),
            (event(.agentLogout, agent: "A", "1"), .null, .unknown),
            (event(.dndOff, agent: "A", "1"), .null, .unknown),
        ]
        for (number, (event, state, mode)) in day.enumerated() {
            let before = number == 0 ? nil : agent
            #expect(agent.eventRead(event, at: entry(UInt64(number + 1)), from: "east") == .moved, "\(event.name)")
            #expect(agent.session(region: "east", dn: "1")?.state ?? .null == state)
            #expect(agent.session(region: "east", dn: "1")?.workMode ?? .unknown == mode)
            let change = agent.changes(since: before)
            for (name, value) in change.set { stored[name] = value }
            for name in change.removed { stored[name] = nil }
            let reloaded = try AgentMachine(fields: stored.map { ($0.key, $0.value) })
            #expect(reloaded == agent)
            agent = reloaded
        }
        #expect(agent.sessions.isEmpty)
        #expect(stored["state"] == "0")
    }

    @Test("events that no transition allows change nothing")
    func illegal() {
        var agent = AgentMachine(agentID: "A")
        for name: EventName in [.agentReady, .agentNotReady, .agentLogout, .agentAfterCallWork, .queueLogout] {
            let transition = agent.eventRead(event(name, agent: "A", "1"), at: entry(1), from: "east")
            #expect(transition == .illegal(.agent(from: .null, by: name)))
        }
        #expect(agent == AgentMachine(agentID: "A"))
        #expect(agent.eventRead(event(.agentLogin, agent: "A", "1"), at: entry(2), from: "east") == .moved)
        #expect(agent.eventRead(event(.queueLogout, agent: "A", "1"), at: entry(3), from: "east") == .noted)
        let again = agent.eventRead(event(.agentNotReady, agent: "A", "1"), at: entry(4), from: "east")
        #expect(again == .illegal(.agent(from: .notReady, by: .agentNotReady)))
        let other = agent.eventRead(event(.agentReady, agent: "B", "1"), at: entry(5), from: "east")
        #expect(other == .illegal(.otherSubject))
    }

    @Test("the login with the higher entry ID counts, whichever is read first")
    func higherLoginCounts() throws {
        for order in [["east", "west"], ["west", "east"]] {
            var agent = AgentMachine(agentID: "A")
            for region in order {
                let id = region == "east" ? entry(100) : entry(200)
                #expect(agent.eventRead(event(.agentLogin, agent: "A", "1"), at: id, from: region) == .moved)
            }
            #expect(agent.region == "west")
            #expect(agent.current.map(\.region) == ["west"])
            #expect(agent.loss(of: "west") == nil)
            for logout in try #require(agent.loss(of: "east")).logouts(server: "east", time: 5) {
                #expect(logout.id == "east-superseded-100-0-A-1")
                #expect(agent.eventRead(logout, at: entry(300), from: "east") == .moved)
            }
            #expect(agent.loss(of: "east") == nil)
            #expect(agent.current.map(\.region) == ["west"])
        }
    }

    @Test("a login on the same DN without a Logout is a session of its own, and the later login counts")
    func loginAgain() throws {
        for before: EventName? in [nil, .agentReady, .agentAfterCallWork] {
            var agent = AgentMachine(agentID: "A")
            #expect(agent.eventRead(event(.agentLogin, agent: "A", "1"), at: entry(1), from: "east") == .moved)
            #expect(agent.eventRead(event(.agentReady, agent: "A", "1"), at: entry(2), from: "east") == .moved)
            if let before { _ = agent.eventRead(event(before, agent: "A", "1"), at: entry(3), from: "east") }
            _ = agent.eventRead(event(.dndOn, agent: "A", "1"), at: entry(4), from: "east")
            #expect(agent.eventRead(event(.agentLogin, agent: "A", "2"), at: entry(5), from: "west") == .moved)
            #expect(agent.loss(of: "east") != nil)
            let login = event(.agentLogin, agent: "A", "1", mode: .manualIn)
            #expect(agent.eventRead(login, at: entry(7), from: "east") == .moved)
            #expect(agent.region == "east" && agent.loss(of: "east") == nil)
            let session = try #require(agent.session(region: "east", dn: "1"))
            #expect(agent.current == [session] && agent.loss(of: "west")?.sessions.map(\.dn) == ["2"])
            #expect(session.state == .notReady && session.workMode == .manualIn && session.login == entry(7))
            #expect(session.features == .doNotDisturb)
        }
    }

    @Test("equal entry IDs: the greater region name counts")
    func ties() {
        var agent = AgentMachine(agentID: "A")
        _ = agent.eventRead(event(.agentLogin, agent: "A", "1"), at: entry(7), from: "west")
        _ = agent.eventRead(event(.agentLogin, agent: "A", "1"), at: entry(7), from: "east")
        #expect(agent.region == "west")
        #expect(agent.loss(of: "east")?.sessions.map(\.dn) == ["1"] && agent.loss(of: "west") == nil)
    }

    @Test("a lost session does not come back when the winner logs out, only by a later login")
    func lostStaysLost() {
        var agent = AgentMachine(agentID: "A")
        _ = agent.eventRead(event(.agentLogin, agent: "A", "1"), at: entry(1), from: "east")
        _ = agent.eventRead(event(.agentLogin, agent: "A", "2"), at: entry(2), from: "west")
        _ = agent.eventRead(event(.agentLogout, agent: "A", "2"), at: entry(3), from: "west")
        #expect(agent.current.isEmpty)
        _ = agent.eventRead(event(.agentLogin, agent: "A", "3"), at: entry(4), from: "east")
        #expect(agent.current.map(\.dn) == ["3"])
        #expect(agent.loss(of: "east")?.sessions.map(\.dn) == ["1"])
        #expect(agent.loss(of: "west") == nil)
    }

    @Test("a lost session moves on, on each of its DNs, until its Logouts; what is only set on a DN is no session")
    func lostOnSeveralDNs() throws {
        var agent = AgentMachine(agentID: "A")
        for dn in ["2", "1"] {
            _ = agent.eventRead(event(.agentLogin, agent: "A", dn), at: entry(1), from: "east")
        }
        _ = agent.eventRead(event(.dndOn, agent: "A", "3"), at: entry(2), from: "east")
        #expect(agent.loss(of: "east") == nil)
        _ = agent.eventRead(event(.agentLogin, agent: "A", "9"), at: entry(3), from: "west")
        #expect(agent.eventRead(event(.agentReady, agent: "A", "1"), at: entry(4), from: "east") == .moved)
        let loss = try #require(agent.loss(of: "east"))
        #expect(loss.sessions.map(\.dn) == ["1", "2"] && loss.sessions.map(\.state) == [.ready, .notReady])
        for logout in loss.logouts(server: "east", time: 5) {
            #expect(agent.eventRead(logout, at: entry(5), from: "east") == .moved)
            #expect(agent.eventRead(logout, at: entry(6), from: "east").isLegal == false)
        }
        #expect(agent.loss(of: "east") == nil)
        #expect(agent.session(region: "east", dn: "3")?.features == .doNotDisturb)
    }

    @Test("any interleaving of the regions' journals gives the same agent", arguments: 1...50)
    func converges(_ seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let names: [EventName] = [
            .agentLogin, .agentReady, .agentNotReady, .agentAfterCallWork, .agentLogout, .dndOn, .dndOff,
        ]
        let journals = ["east", "west", "north"].map { region in
            (0..<30).map { number in
                let chosen = names.randomElement(using: &random) ?? .agentLogin
                let dn = Bool.random(using: &random) ? "1" : "2"
                let id = entry(UInt64(number * 5) + UInt64.random(in: 0..<5, using: &random))
                return (event: event(chosen, agent: "A", dn), id: id, region: region)
            }
        }
        var results: Set<AgentMachine> = []
        var illegal: Set<Int> = []
        for _ in 0..<4 {
            var agent = AgentMachine(agentID: "A")
            var rest = journals.map { $0[...] }
            var count = 0
            while let index = rest.indices.filter({ !rest[$0].isEmpty }).randomElement(using: &random) {
                let next = rest[index].removeFirst()
                if !agent.eventRead(next.event, at: next.id, from: next.region).isLegal { count += 1 }
                agent = try AgentMachine(fields: agent.fields.shuffled(using: &random))
            }
            results.insert(agent)
            illegal.insert(count)
        }
        #expect(results.count == 1, "seed \(seed)")
        #expect(illegal.count == 1, "seed \(seed)")
    }

    @Test("a record with a field that was never written is refused by name")
    func unreadable() {
        for (name, value) in [
            ("login:east", "7"), ("session:east:1", "1 0 0 1-0 5"), ("session:east:1", "9 0 0 1-0 5 -1 "),
            ("session:east:1", "1 0 0 1-0 5 9 abc"), ("session:east", "1 0 0 1-0 5 -1 "),
        ] {
            #expect(throws: UnreadableRecord(field: name)) {
                try AgentMachine(fields: [("AgentID", "A"), (name, value)])
            }
        }
        #expect(throws: UnreadableRecord(field: "AgentID")) { try AgentMachine(fields: []) }
    }
}
