package import Journal
package import VoiceEvents

/// A stand-in for the voice front end of one tenant in one region: answers requests with the events that a switch would
/// give, at DNs of any name. A value without I/O.
///
/// What it knows of calls and agents it has from the tenant's voice journal alone: the driver reports every entry, also
/// those that came of what `requested` gave. So one that begins anew behind another knows what that one knew.
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

    /// An entry of the tenant's voice journal was read. What is no event is passed over.
    package mutating func entryRead(_ fields: [(String, String)], at entry: EntryID) {
        lastRead = entry
        let event: VoiceEvent
        do { event = try VoiceEvent(fields: fields) } catch { return }
        switch event.subject {
        case .call(let connID): fold(event, into: connID, at: entry)
        case .agent(let agentID):
            var agent = agents[agentID] ?? AgentMachine(agentID: agentID)
            if agent.eventRead(event, at: entry, from: region).isLegal { agents[agentID] = agent }
        case .none: break
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
        if call.eventRead(event, at: entry, from: region).isLegal { keep(call) }
        if let left = event.connIDLeft, var call = calls[left] {
            if call.partyMoved(event, at: entry, from: region).isLegal { keep(call) }
        }
        if event.name == .dialing, event.callType == .consult {
            let purpose = event.extensions.flatMap { JSONObject.value(of: Purpose.name, in: $0) }
            purposes[connID] = purpose.flatMap { Purpose(rawValue: $0) }
        }
        if calls[connID] == nil { purposes[connID] = nil }
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
