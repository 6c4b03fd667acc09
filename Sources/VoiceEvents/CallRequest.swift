/// What a voice front end is asked to do: an entry of a `requests` journal. The names are those of T-Lib's requests.
///
/// Its outcome is an event with the same `ReferenceID`, or EventError.
package struct CallRequest: Hashable, Sendable {
    /// What is asked for; the text is the entry's `request`, and the command of the voice port that asks.
    package enum Kind: String, CaseIterable, Hashable, Sendable {
        case make = "CALL.MAKE"
        case answer = "CALL.ANSWER"
        case hold = "CALL.HOLD"
        case retrieve = "CALL.RETRIEVE"
        case release = "CALL.RELEASE"
        /// Begins a consult call that a transfer is to come of.
        case transfer = "CALL.TRANSFER"
        /// The same for a conference.
        case conference = "CALL.CONFERENCE"
        case complete = "CALL.COMPLETE"
        case sendDTMF = "CALL.DTMF"
        case attachData = "CALL.DATA"
        case login = "AGENT.LOGIN"
        case logout = "AGENT.LOGOUT"
        case ready = "AGENT.READY"
        case notReady = "AGENT.NOTREADY"
    }

    package let kind: Kind
    /// The DN that asks, or at which the agent is.
    package let thisDN: String
    /// Whom to call or consult.
    package var otherDN: String?
    /// The call that it is about.
    package var connID: String?
    /// The consult call that is to be completed.
    package var transferConnID: String?
    package var callType: CallType?
    /// JSON object.
    package var userData: String?
    /// DTMF: `0` to `9`, `A` to `D`, `*`, `#`, and `,` for a pause.
    package var digits: String?
    package var agentID: String?
    /// Queue that the agent logs in to.
    package var thisQueue: String?
    package var workMode: WorkMode?
    package var reason: String?

    package init(_ kind: Kind, at thisDN: String) {
        self.kind = kind
        self.thisDN = thisDN
    }

    /// ConnID, else the agent, else the DN: the entry's `key`.
    package var key: String { connID ?? agentID ?? thisDN }
}

extension CallRequest {
    private static let reasonName = "Reason"
    private static let digitsName = "Digits"

    /// The arguments, as the JSON of the entry's `data`: attributes by the names that events have for them, the reason as
    /// `Reasons.Reason`, digits as `Extensions.Digits`.
    package var data: String {
        var attributes = VoiceEvent(.userEvent, key: key)
        attributes.thisDN = thisDN
        attributes.otherDN = otherDN
        attributes.connID = connID
        attributes.transferConnID = transferConnID
        attributes.callType = callType
        attributes.userData = userData
        attributes.extensions = digits.map { JSONObject.text(Self.digitsName, $0) }
        attributes.agentID = agentID
        attributes.thisQueue = thisQueue
        attributes.workMode = workMode
        attributes.reasons = reason.map { JSONObject.text(Self.reasonName, $0) }
        return String(decoding: attributes.encodedData(), as: UTF8.self)
    }

    /// Reads an entry's `request` and `data`; nil where the one is no request, or the other no arguments of one: ThisDN is
    /// always there.
    package init?(request: String, data: String) {
        guard let kind = Kind(rawValue: request) else { return nil }
        let attributes: VoiceEvent
        do {
            attributes = try VoiceEvent(fields: [("event", EventName.userEvent.text), ("key", "-"), ("data", data)])
        } catch {
            return nil
        }
        guard let thisDN = attributes.thisDN else { return nil }
        self.init(kind, at: thisDN)
        otherDN = attributes.otherDN
        connID = attributes.connID
        transferConnID = attributes.transferConnID
        callType = attributes.callType
        userData = attributes.userData
        digits = attributes.extensions.flatMap { JSONObject.value(of: Self.digitsName, in: $0) }
        agentID = attributes.agentID
        thisQueue = attributes.thisQueue
        workMode = attributes.workMode
        reason = attributes.reasons.flatMap { JSONObject.value(of: Self.reasonName, in: $0) }
    }
}
