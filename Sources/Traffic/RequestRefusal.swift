internal import VoiceEvents

/// Why a front end does not do what it was asked: becomes an EventError.
struct RequestRefusal: Error, Hashable {
    /// ErrorCode, by the numbers of T-Lib.
    enum Code: Int64 {
        case isInThatState = 43
        case invalidAttribute = 53
        case invalidConnectionID = 56
        case invalidCalledDN = 71
        case cannotConference = 96
        case cannotTransfer = 98
        case invalidState = 185
    }

    let code: Code
    let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// What says so to who has asked.
    func event(to request: CallRequest) -> VoiceEvent {
        var event = VoiceEvent(.error, key: request.key)
        event.thisDN = request.thisDN
        event.connID = request.connID
        event.agentID = request.agentID
        event.errorCode = code.rawValue
        event.errorMessage = message
        return event
    }
}
