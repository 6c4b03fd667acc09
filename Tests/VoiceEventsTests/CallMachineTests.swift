import Journal
import Testing
import VoiceEvents

@Suite("Call machine: the events of one call")
struct CallMachineTests {
    /// Folds events into their calls as a projection does, storing and reading back each call at every step.
    private struct Calls {
        var calls: [String: CallMachine] = [:]
        var stored: [String: [String: String]] = [:]
        var number: UInt64 = 0

        mutating func fold(_ event: VoiceEvent) throws -> Transition {
            number += 1
            let id = entry(number)
            if let left = event.connIDLeft, calls[left] != nil {
                _ = try apply(left) { $0.partyMoved(event, at: id, from: "east") }
            }
            return try apply(event.key) { $0.eventRead(event, at: id, from: "east") }
        }

        private mutating func apply(_ id: String, _ change: (inout CallMachine) -> Transition) throws -> Transition {
            let before = calls[id]
            var call = before ?? CallMachine(connID: id, region: "east")
            let transition = change(&call)
            guard transition.isLegal else {
                #expect(call == before ?? CallMachine(connID: id, region: "east"))
                return transition
            }
            var hash = stored[id] ?? [:]
            let changes = call.changes(since: before)
            for (name, value) in changes.set { hash[name] = value }
            for name in changes.removed { hash[name] = nil }
            stored[id] = hash
            #expect(hash == Dictionary(uniqueKeysWithValues: call.fields))
            let reloaded = try CallMachine(fields: hash.map { ($0.key, $0.value) })
            #expect(reloaded == call)
            calls[id] = reloaded
            return transition
        }
    }

    @Test("a queued call is answered, held, retrieved and released")
    func inbound() throws {
        var calls = Calls()
        #expect(try calls.fold(event(.queued, "M", "9001")) == .moved)
        #expect(try calls.fold(event(.ringing, "M", "1001") { $0.agentID = "A 1" }) == .moved)
        #expect(try calls.fold(event(.diverted, "M", "9001")) == .moved)
        #expect(try calls.fold(event(.established, "M", "1001") { $0.userData = #"{"a":"b"}"# }) == .moved)
        #expect(try calls.fold(event(.attachedDataChanged, "M", "1001") { $0.userData = "{}" }) == .noted)
        #expect(try calls.fold(event(.held, "M", "1001")) == .moved)
        #expect(try calls.fold(event(.retrieved, "M", "1001")) == .moved)
        #expect(calls.calls["M"]?.party("1001")?.agentID == "A 1")
        #expect(try calls.fold(event(.released, "M", "1001") { $0.time = 9_000 }) == .ended)
        let call = try #require(calls.calls["M"])
        #expect(call.endedAt == 9_000)
        #expect(call.userData == "{}")
        #expect(call.firstEntry == entry(1))
        #expect(call.lastEntry == entry(8))
        #expect(try calls.fold(event(.ringing, "M", "1002")) == .illegal(.callEnded(by: .ringing)))
    }

    @Test("a completed transfer moves the new party to the main call and ends the consult call")
    func transfer() throws {
        var calls = Calls()
        for next in [
            event(.ringing, "M", "1001"), event(.established, "M", "1001"), event(.held, "M", "1001"),
            event(.dialing, "K", "1001", type: .consult), event(.ringing, "K", "1002", type: .consult),
            event(.established, "K", "1002", type: .consult), event(.established, "K", "1001", type: .consult),
        ] {
            #expect(try calls.fold(next) == .moved)
        }
        #expect(calls.calls["K"]?.previousConnID == "M")
        let change = event(.partyChanged, "M", "1002", state: .transferred) { $0.previousConnID = "K" }
        #expect(change.connIDLeft == "K")
        #expect(try calls.fold(change) == .moved)
        #expect(calls.calls["M"]?.party("1002")?.state == .connected)
        #expect(calls.calls["K"]?.parties.map(\.dn) == ["1001"])
        #expect(try calls.fold(event(.released, "M", "1001", state: .transferred)) == .moved)
        #expect(try calls.fold(event(.released, "K", "1001", type: .consult, state: .transferred)) == .ended)
        #expect(calls.calls["M"]?.callState == .transferred)
        #expect(calls.calls["M"]?.previousConnID == nil)
        #expect(try calls.fold(event(.released, "M", "1002")) == .ended)
    }

    @Test("a conference adds the third party")
    func conference() throws {
        var calls = Calls()
        for next in [
            event(.ringing, "M", "1001"), event(.established, "M", "1001"), event(.held, "M", "1001"),
            event(.dialing, "K", "1001", type: .consult), event(.ringing, "K", "1002", type: .consult),
            event(.established, "K", "1002", type: .consult), event(.established, "K", "1001", type: .consult),
            event(.partyAdded, "M", "1002", state: .conferenced) {
                $0.previousConnID = "K"
                $0.thisDNRole = .conferenceMember
            },
        ] {
            #expect(try calls.fold(next) == .moved)
        }
        #expect(try calls.fold(event(.released, "K", "1001", type: .consult, state: .conferenced)) == .ended)
        #expect(try calls.fold(event(.retrieved, "M", "1001", state: .conferenced)) == .moved)
        #expect(calls.calls["M"]?.parties.map(\.state) == [.connected, .connected])
        #expect(calls.calls["M"]?.party("1002")?.role == .conferenceMember)
        #expect(try calls.fold(event(.partyDeleted, "M", "1001") { $0.otherDN = "1002" }) == .noted)
        #expect(try calls.fold(event(.released, "M", "1002")) == .moved)
        #expect(try calls.fold(event(.released, "M", "1001")) == .ended)
    }

    @Test("events that no transition allows change nothing")
    func illegal() throws {
        var calls = Calls()
        #expect(try calls.fold(event(.established, "M", "1")) == .illegal(.callUnknown(by: .established)))
        let joins = event(.partyChanged, "M", "1", state: .transferred)
        #expect(try calls.fold(joins) == .illegal(.callUnknown(by: .partyChanged)))
        #expect(calls.calls.isEmpty)
        #expect(try calls.fold(event(.ringing, "M", "1")) == .moved)
        #expect(try calls.fold(event(.ringing, "M", "1")) == .illegal(.party(from: .alerting, by: .ringing)))
        #expect(try calls.fold(event(.held, "M", "1")) == .illegal(.party(from: .alerting, by: .held)))
        #expect(try calls.fold(event(.held, "M", "2")) == .illegal(.party(from: .null, by: .held)))
        #expect(try calls.fold(event(.partyAdded, "M", "2")) == .illegal(.party(from: .null, by: .partyAdded)))
        #expect(calls.calls["M"]?.lastEntry == entry(3))
    }

    @Test("another region's events and another call's are refused")
    func foreign() {
        var call = CallMachine(connID: "M", region: "east")
        #expect(call.eventRead(event(.ringing, "M", "1"), at: entry(1), from: "west") == .illegal(.otherRegion))
        #expect(call.eventRead(event(.ringing, "N", "1"), at: entry(1), from: "east") == .illegal(.otherSubject))
        #expect(call.isNew)
    }

    @Test("a record with a field that was never written is refused by name")
    func unreadable() throws {
        var call = CallMachine(connID: "M", region: "east")
        #expect(call.eventRead(event(.ringing, "M", "1"), at: entry(1), from: "east") == .moved)
        for (name, value) in [
            ("party:1", "10 2"), ("party:1", "0 0 0"), ("CallState", "x"), ("lastEntry", "12"), ("beganAt", ""),
        ] {
            let damaged = call.fields.filter { $0.0 != name } + [(name, value)]
            #expect(throws: UnreadableRecord(field: name)) { try CallMachine(fields: damaged) }
        }
        for name in ["ConnID", "Region", "CallType"] {
            let damaged = call.fields.filter { $0.0 != name }
            #expect(throws: UnreadableRecord(field: name)) { try CallMachine(fields: damaged) }
        }
    }
}
