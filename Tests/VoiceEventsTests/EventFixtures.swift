import Journal
import VoiceEvents

/// An inbound call's Ringing as a voice front end writes it.
let ringingData = """
    {"id":"us-east-1763800000000000-41","Server":"us-east","ThisDN":"1001","time":1763800001000000,\
    "ServerStartTime":1763800000000000,"EventSequenceNumber":41,"CallID":17,"CallUUID":"01HS2CI4G0DMB7K0Q5OO4B5AES00000H",\
    "ConnID":"006a02c1d5f1b00e","CallState":0,"CallThreadID":"t-17","CallType":2,"ThisDNRole":2,"OtherDN":"+14155550100",\
    "OtherDNRole":1,"ThisQueue":"9001","ANI":"+14155550100","DNIS":"8005550199","AgentID":"A17",\
    "UserData":{"name":"J\\u00fcrgen","order":[1,2,{"a":null}]},"MediaType":0}
    """

func fields(_ event: String, _ key: String, _ data: String) -> [(String, String)] {
    [("event", event), ("key", key), ("data", data)]
}

/// An event of call `connID` at `dn`, with what the closure adds.
func event(
    _ name: EventName, _ connID: String, _ dn: String, type: CallType = .inbound, state: CallState = .ok,
    _ change: (inout VoiceEvent) -> Void = { _ in }
) -> VoiceEvent {
    var event = VoiceEvent(name, key: connID)
    event.connID = connID
    event.thisDN = dn
    event.callType = type
    event.callState = state
    event.time = 1_000
    if type == .consult { event.previousConnID = "M" }
    change(&event)
    return event
}

/// An event of agent `agent` at `dn`.
func event(
    _ name: EventName, agent: String, _ dn: String, mode: WorkMode? = nil, reasons: String? = nil
) -> VoiceEvent {
    var event = VoiceEvent(name, key: agent)
    event.agentID = agent
    event.thisDN = dn
    event.workMode = mode
    event.reasons = reasons
    event.time = 1_000
    return event
}

func entry(_ number: UInt64) -> EntryID { EntryID(first: number, second: 0) }
