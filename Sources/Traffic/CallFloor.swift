import VoiceEvents

/// The calls and agents of one tenant: which are in progress, who is free.
struct CallFloor: Sendable {
    let inventory: TenantInventory
    private let limit: Int
    /// Places in the inventory of agents that are logged out, and of those that are ready and on no call.
    private var loggedOut: [Int]
    private var ready: [Int] = []
    private var inProgress: [CallScript] = []

    init(_ inventory: TenantInventory, callsInProgress limit: Int) {
        self.inventory = inventory
        self.limit = max(1, limit)
        loggedOut = inventory.agents.indices.reversed()
    }

    var hasCalls: Bool { !inProgress.isEmpty }

    mutating func next(
        _ random: inout SplitMix64, _ numbers: inout CallNumbers, beginning: Bool
    ) -> VoiceEvent? {
        if beginning, inProgress.isEmpty || inProgress.count < limit && random.chance(percent: 25) {
            begin(&random, &numbers)
        }
        guard !inProgress.isEmpty else { return nil }
        let index = random.below(inProgress.count)
        let event = inProgress[index].next()
        if inProgress[index].isOver {
            let script = inProgress.remove(at: index)
            if script.endsLoggedOut { loggedOut += script.agents } else { ready += script.agents }
        }
        return event
    }

    private mutating func begin(_ random: inout SplitMix64, _ numbers: inout CallNumbers) {
        let kinds = CallScript.Kind.allCases.filter {
            $0.agents <= ready.count && (!$0.needsQueue || !inventory.queues.isEmpty)
                && ($0 != .routed || !inventory.routingPoints.isEmpty)
        }
        if !loggedOut.isEmpty, kinds.isEmpty || ready.isEmpty || random.chance(percent: 40) {
            logIn(random.below(loggedOut.count), &random)
        } else if !kinds.isEmpty {
            let kind = kinds[random.weighted(kinds.map(\.weight))]
            let agents = (0..<kind.agents).map { _ in ready.swapRemove(random.below(ready.count)) }
            inProgress.append(script(kind, agents, &random, &numbers))
        }
    }

    private mutating func logIn(_ index: Int, _ random: inout SplitMix64) {
        let index = loggedOut.swapRemove(index)
        var writer = CallScriptWriter()
        writer.agent(.agentLogin, inventory.agents[index], mode: .manualIn)
        writer.agent(.agentReady, inventory.agents[index], mode: random.chance(percent: 50) ? .manualIn : .autoIn)
        inProgress.append(CallScript(events: writer.events, agents: [index]))
    }
}

extension CallFloor {
    private func script(
        _ kind: CallScript.Kind, _ agents: [Int], _ random: inout SplitMix64, _ numbers: inout CallNumbers
    ) -> CallScript {
        var writer = CallScriptWriter()
        let people = agents.map { inventory.agents[$0] }
        switch kind {
        case .abandonedInQueue, .abandonedRinging, .answered, .held, .routed, .transferred, .conferenced:
            inbound(kind, people, &writer, &random, &numbers)
        case .outbound, .busy:
            outbound(kind, people[0], &writer, &random, &numbers)
        case .internalCall:
            between(people[0], people[1], &writer, &numbers)
        case .pause:
            writer.agent(.agentNotReady, people[0], mode: .auxWork, reasons: #"{"ReasonCode":"Lunch"}"#)
            writer.agent(.agentReady, people[0], mode: .manualIn)
        case .shiftChange:
            writer.agent(.agentNotReady, people[0], mode: .auxWork)
            writer.agent(.agentLogout, people[0])
        }
        return CallScript(events: writer.events, agents: agents, endsLoggedOut: kind == .shiftChange)
    }

    private func inbound(
        _ kind: CallScript.Kind, _ people: [TenantInventory.Agent], _ writer: inout CallScriptWriter,
        _ random: inout SplitMix64, _ numbers: inout CallNumbers
    ) {
        guard let queue = random.pick(inventory.queues) else { return }
        let call = numbers.main(.inbound, ani: telephone(&random), dnis: "800555\(1000 + random.below(9000))")
        let data = attachedData(&random)
        guard let agent = people.first else {
            writer.at(queue, .queued, call) { $0.userData = data }
            writer.at(queue, .abandoned, call, state: .abandoned)
            return
        }
        if kind == .routed, let point = random.pick(inventory.routingPoints) {
            routed(call, at: point, to: agent, data, &writer)
        } else {
            writer.offered(call, queue: queue, to: agent, data: data)
        }
        if kind == .abandonedRinging {
            writer.at(agent.dn, .abandoned, call, state: .abandoned) { $0.agentID = agent.id }
            return
        }
        writer.answered(call, agent)
        if random.chance(percent: 30) {
            let changed = attachedData(&random)
            writer.at(agent.dn, .attachedDataChanged, call) { $0.userData = changed }
        }
        switch kind {
        case .held:
            for _ in 0...random.below(2) { writer.heldAndRetrieved(call, agent) }
        case .transferred:
            let consult = numbers.consult(call)
            writer.consulted(call, consult, by: agent, with: people[1])
            writer.transferred(call, consult, by: agent, to: people[1])
            writer.wrappedUp(agent)
            writer.released(call, people[1], state: .remoteRelease)
            writer.wrappedUp(people[1])
            return
        case .conferenced:
            let consult = numbers.consult(call)
            writer.consulted(call, consult, by: agent, with: people[1])
            writer.conferenced(call, consult, by: agent, with: people[1])
            writer.wrappedUp(people[1])
        default:
            break
        }
        writer.released(call, agent, state: random.chance(percent: 50) ? .ok : .remoteRelease)
        writer.wrappedUp(agent)
    }

    private func routed(
        _ call: CallScriptWriter.Call, at point: String, to agent: TenantInventory.Agent, _ data: String,
        _ writer: inout CallScriptWriter
    ) {
        writer.at(point, .routeRequest, call) { $0.userData = data }
        writer.at(point, .treatmentApplied, call)
        writer.at(point, .treatmentEnd, call)
        writer.at(point, .routeUsed, call) { $0.thirdPartyDN = agent.dn }
        writer.ringing(call, agent, from: call.ani)
        writer.at(point, .diverted, call, state: .redirected) { $0.thirdPartyDN = agent.dn }
    }

    private func outbound(
        _ kind: CallScript.Kind, _ agent: TenantInventory.Agent, _ writer: inout CallScriptWriter,
        _ random: inout SplitMix64, _ numbers: inout CallNumbers
    ) {
        let call = numbers.main(.outbound)
        let called = telephone(&random)
        writer.at(agent.dn, .dialing, call, role: .origination) {
            $0.agentID = agent.id
            $0.otherDN = called
            $0.otherDNRole = .destination
        }
        if kind == .busy {
            writer.at(agent.dn, .destinationBusy, call, role: .origination, state: .busy)
            writer.released(call, agent, role: .origination, state: .busy)
        } else {
            writer.at(agent.dn, .networkReached, call, role: .origination)
            writer.answered(call, agent, role: .origination)
            writer.released(call, agent, role: .origination)
            writer.wrappedUp(agent)
        }
    }

    private func between(
        _ first: TenantInventory.Agent, _ second: TenantInventory.Agent, _ writer: inout CallScriptWriter,
        _ numbers: inout CallNumbers
    ) {
        let call = numbers.main(.internal)
        writer.at(first.dn, .dialing, call, role: .origination) {
            $0.agentID = first.id
            $0.otherDN = second.dn
        }
        writer.ringing(call, second, from: first.dn)
        writer.answered(call, second)
        writer.answered(call, first, role: .origination)
        writer.released(call, second)
        writer.released(call, first, role: .origination, state: .remoteRelease)
    }

    private func telephone(_ random: inout SplitMix64) -> String { "+1415555\(1000 + random.below(9000))" }

    private func attachedData(_ random: inout SplitMix64) -> String {
        let name = random.pick(NameLists.lastNames) ?? ""
        return #"{"Name":"\#(name)","Segment":"\#(random.pick(["gold", "silver", "new"]) ?? "")","#
            + #""Case":"\#(100_000 + random.below(900_000))"}"#
    }
}

extension Array {
    /// Takes the element out and puts the last one in its place.
    mutating func swapRemove(_ index: Int) -> Element {
        swapAt(index, count - 1)
        return removeLast()
    }
}
