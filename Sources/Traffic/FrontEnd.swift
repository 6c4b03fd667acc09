package import Journal
package import VoiceEvents

/// A stand-in for the voice front end of one tenant in one region: answers requests with the events that a switch would
/// give, at DNs of any name. A value without I/O.
///
/// What it knows of calls and agents it has from their records, as the region keeps them up to some entry of the tenant's
/// voice journal, and from that journal: the driver reports the records first and then every entry, also those that came of
/// what `requested` gave. So one that begins anew behind another knows what that one knew, however long ago it was.
package struct FrontEnd: Sendable {
    /// Why a consult call was made.
    enum Purpose: String {
        case transfer = "Transfer"
        case conference = "Conference"

        /// Member of the `Extensions` of its Dialing.
        static let name = "Purpose"
    }

    let region: String
    private let server: String
    private let startTime: Int64
    private var sequence: Int64 = 0
    var numbers: CallNumbers
    /// Those that have not ended.
    private(set) var calls: [String: CallMachine] = [:]
    private(set) var agents: [String: AgentMachine] = [:]
    private(set) var purposes: [String: Purpose] = [:]
    /// The last entry of the journal that was reported.
    package private(set) var lastRead = EntryID.zero
    /// Up to here all entries are in the records.
    private var recordedThrough = EntryID.zero

    /// - Parameters:
    ///   - region: Where it is.
    ///   - server: `Server` of the events; no other front end of the region has it.
    ///   - startTime: When it began, µs since 1970; no other run of that server has it.
    package init(region: String, server: String, startTime: Int64) {
        self.region = region
        self.server = server
        self.startTime = startTime
        numbers = CallNumbers(server: server, startTime: startTime)
    }

    // MARK: Facts

    /// The record of a call was read.
    package mutating func recordRead(_ call: CallMachine) {
        if call.region == region { keep(call) }
    }

    /// The record of an agent was read.
    package mutating func recordRead(_ agent: AgentMachine) {
        if agent.sessions.contains(where: { $0.region == region }) { agents[agent.agentID] = agent }
    }

    /// All records were read, which have every entry up to this one in them. Those of calls may have later ones.
    package mutating func recordsRead(through entry: EntryID) { recordedThrough = entry }

    /// An entry of the tenant's voice journal was read. What is no event is passed over.
    package mutating func entryRead(_ fields: [(String, String)], at entry: EntryID) {
        lastRead = entry
        let event: VoiceEvent
        do { event = try VoiceEvent(fields: fields) } catch { return }
        switch event.subject {
        case .call(let connID): fold(event, into: connID, at: entry)
        case .agent(let agentID) where entry > recordedThrough:
            var agent = agents[agentID] ?? AgentMachine(agentID: agentID)
            if agent.eventRead(event, at: entry, from: region).isLegal { agents[agentID] = agent }
        case .agent, .none: break
        }
    }

    /// A request was read, at `time`, µs since 1970. Gives the events that answer it, one at least, in order.
    package mutating func requested(_ request: CallRequest, reference: Int64, at time: Int64) -> [VoiceEvent] {
        var events: [VoiceEvent]
        do throws(RequestRefusal) {
            events = try answer(to: request)
        } catch {
            events = [error.event(to: request)]
        }
        for index in events.indices {
            sequence += 1
            events[index].id = "\(startTime)-\(sequence)"
            events[index].server = server
            events[index].time = time
            events[index].serverStartTime = startTime
            events[index].eventSequenceNumber = sequence
            events[index].referenceID = reference
        }
        return events
    }

    // MARK: Rules

    private mutating func fold(_ event: VoiceEvent, into connID: String, at entry: EntryID) {
        var call = calls[connID] ?? CallMachine(connID: connID, region: region)
        if isAhead(entry, of: call), call.eventRead(event, at: entry, from: region).isLegal { keep(call) }
        if let left = event.connIDLeft, var call = calls[left], isAhead(entry, of: call) {
            if call.partyMoved(event, at: entry, from: region).isLegal { keep(call) }
        }
        // Records do not have it.
        if event.name == .dialing, event.callType == .consult {
            let purpose = event.extensions.flatMap { JSONObject.value(of: Purpose.name, in: $0) }
            purposes[connID] = purpose.flatMap { Purpose(rawValue: $0) }
        }
        if calls[connID] == nil { purposes[connID] = nil }
    }

    /// Whether the call's record does not have the entry in it.
    private func isAhead(_ entry: EntryID, of call: CallMachine) -> Bool {
        entry > max(recordedThrough, call.lastEntry ?? .zero)
    }

    private mutating func keep(_ call: CallMachine) {
        calls[call.connID] = call.hasEnded ? nil : call
        if call.hasEnded { purposes[call.connID] = nil }
    }

    private mutating func answer(to request: CallRequest) throws(RequestRefusal) -> [VoiceEvent] {
        switch request.kind {
        case .make: try make(request)
        case .answer: try answerCall(request)
        case .hold: try hold(request)
        case .retrieve: try retrieve(request)
        case .release: try release(request)
        case .transfer: try consult(request, for: .transfer)
        case .conference: try consult(request, for: .conference)
        case .complete: try complete(request)
        case .sendDTMF: try sendDTMF(request)
        case .attachData: try attachData(request)
        case .login: try login(request)
        case .logout: try logout(request)
        case .ready: try change(request, by: .agentReady)
        case .notReady: try change(request, by: .agentNotReady)
        }
    }
}
