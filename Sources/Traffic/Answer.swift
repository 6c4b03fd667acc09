internal import VoiceEvents

/// The events that answer a request about a call which is known.
struct Answer {
    private var writer = CallScriptWriter()

    var events: [VoiceEvent] { writer.events }

    /// Appends an event of `call` at `dn`, in the role that the party has there unless one is given.
    mutating func at(
        _ dn: String, _ name: EventName, _ call: CallMachine, role: PartyRole? = nil, state: CallState = .ok,
        agent: String?, _ change: (inout VoiceEvent) -> Void = { _ in }
    ) {
        let party = call.party(dn)
        writer.at(dn, name, CallScriptWriter.Call(call), role: role ?? party?.role ?? .unknown, state: state) { event in
            // What the call's events never said stays unsaid.
            event.callID = call.callID
            event.callUUID = call.callUUID
            event.callThreadID = call.callThreadID
            event.agentID = agent ?? party?.agentID
            change(&event)
        }
    }
}

extension CallScriptWriter.Call {
    /// A call as its events told of it.
    init(_ call: CallMachine) {
        self.init(
            connID: call.connID, uuid: call.callUUID ?? "", callID: call.callID ?? 0,
            threadID: call.callThreadID ?? call.connID, type: call.callType, previousConnID: call.previousConnID)
    }
}
