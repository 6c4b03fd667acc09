import Journal
import Testing
import Traffic
import VoiceEvents

@Suite("Traffic: calls and agents by seed")
struct TrafficGeneratorTests {
    private static let startTime: Int64 = 1_763_800_000_000_000

    private func generator(seed: UInt64, server: String = "us-east", tenants: [TenantInventory]) -> TrafficGenerator {
        TrafficGenerator(
            .init(server: server, seed: seed, startTime: TrafficGeneratorTests.startTime), tenants: tenants)
    }

    private let tenants = [
        TenantInventory.synthetic(tenant: 101, agents: 30), .synthetic(tenant: 102, agents: 3),
        TenantInventory(tenant: 103, agents: [], queues: ["1"], routingPoints: []),
        TenantInventory(
            tenant: 104, agents: TenantInventory.synthetic(tenant: 104).agents, queues: [], routingPoints: []),
        TenantInventory(tenant: 105, agents: [], queues: [], routingPoints: []),
    ]

    @Test("the state machines allow every event, and every call ends", arguments: [1, 2, 3, 4] as [UInt64])
    func legal(_ seed: UInt64) throws {
        var generator = generator(seed: seed, tenants: tenants)
        var floor = Projected()
        var names: Set<EventName> = []
        var produced = 0
        while true {
            if produced == 4_000 { generator.endCalls() }
            guard let next = generator.next(at: TrafficGeneratorTests.startTime + Int64(produced)) else { break }
            produced += 1
            names.insert(next.event.name)
            // What a reader of the journal sees, not what the generator holds.
            let read = try VoiceEvent(fields: next.event.fields)
            #expect(read == next.event)
            let transition = floor.fold(read, tenant: next.tenant, at: UInt64(produced))
            try #require(transition.isLegal, "seed \(seed), event \(produced): \(read.name) \(transition)")
        }
        let open = floor.calls.values.filter { !$0.hasEnded }
        #expect(open.isEmpty)
        #expect(produced > 4_000)
        #expect(floor.calls.count > 200)
        #expect(floor.tenants == [101, 102, 103, 104])
        #expect(names.count >= 22, "\(names.map(\.text).sorted())")
        #expect(generator.producedCount == produced)
    }

    @Test("the same seed gives the same bytes; another seed others")
    func deterministic() {
        func digest(_ seed: UInt64) -> UInt64 {
            var generator = generator(seed: seed, tenants: tenants)
            var digest = PayloadDigest()
            for number in 0..<2_000 {
                guard let next = generator.next(at: Int64(number)) else { continue }
                digest.add("\(next.tenant) \(next.event.name.text) \(next.event.key)")
                digest.add(next.event.encodedData().span)
            }
            return digest.value
        }
        #expect(digest(7) == digest(7))
        #expect(digest(7) != digest(8))
    }

    @Test("an event's size is about 300 bytes on average, and what is always there is there")
    func shape() {
        var generator = generator(seed: 5, tenants: [.synthetic(tenant: 101)])
        var bytes = 0
        for number in 1...5_000 {
            guard let event = generator.next(at: 1_763_800_000_000_000 + Int64(number))?.event else { continue }
            bytes += event.name.text.utf8.count + event.key.utf8.count + event.encodedData().count
            #expect(event.eventSequenceNumber == Int64(number))
            #expect(event.id != nil && event.server != nil && event.thisDN != nil && event.time != nil)
            guard event.name.topic == .call else { continue }
            #expect(event.callID != nil && event.callUUID != nil && event.connID == event.key)
            #expect(event.callState != nil && event.callThreadID != nil && event.callType != nil)
            #expect(event.thisDNRole != nil)
        }
        #expect((280...340).contains(bytes / 5_000), "\(bytes / 5_000) bytes")
    }

    @Test("two regions share no agent and no ConnID")
    func regions() {
        let inventory = TenantInventory.synthetic(tenant: 1, agents: 5)
        let shares = (0..<2).map { inventory.share($0, of: 2) }
        #expect(shares.map(\.agents.count) == [3, 2])
        #expect(Set(shares[0].agents).isDisjoint(with: shares[1].agents))
        let keys = ["us-east", "eu-west"].enumerated().map { index, server in
            var generator = generator(seed: 1, server: server, tenants: [shares[index]])
            return Set((0..<1_000).compactMap { generator.next(at: $0)?.event.key })
        }
        #expect(keys[0].isDisjoint(with: keys[1]))
    }

    @Test("nothing usable gives nothing")
    func unusable() {
        var generator = generator(seed: 1, tenants: [tenants[4]])
        #expect(generator.next(at: 0) == nil)
    }
}

/// Calls and agents of several tenants, folded as a projection does.
private struct Projected {
    var calls: [String: CallMachine] = [:]
    var agents: [String: AgentMachine] = [:]
    var tenants: Set<Int64> = []

    mutating func fold(_ event: VoiceEvent, tenant: Int64, at number: UInt64) -> Transition {
        tenants.insert(tenant)
        let id = EntryID(first: number, second: 0)
        switch event.subject {
        case .call(let connID):
            if let left = event.connIDLeft {
                guard var call = calls["\(tenant) \(left)"] else { return .illegal(.callUnknown(by: event.name)) }
                let moved = call.partyMoved(event, at: id, from: "us-east")
                guard moved == .moved || moved == .ended else { return .illegal(.otherSubject) }
                calls["\(tenant) \(left)"] = call
            }
            return calls["\(tenant) \(connID)", default: CallMachine(connID: connID, region: "us-east")]
                .eventRead(event, at: id, from: "us-east")
        case .agent(let agentID):
            return agents["\(tenant) \(agentID)", default: AgentMachine(agentID: agentID)]
                .eventRead(event, at: id, from: "us-east")
        case .none:
            return .noted
        }
    }
}
