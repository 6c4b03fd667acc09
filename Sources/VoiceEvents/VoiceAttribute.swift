/// The attributes of an event that are read; any other is allowed and passed over (domain.md, "Call events").
package enum VoiceAttribute: String, CaseIterable, Hashable, Sendable {
    case id
    case server = "Server"
    case thisDN = "ThisDN"
    case time
    case callID = "CallID"
    case callUUID = "CallUUID"
    case connID = "ConnID"
    case callState = "CallState"
    case callThreadID = "CallThreadID"
    case callType = "CallType"
    case thisDNRole = "ThisDNRole"
    case otherDN = "OtherDN"
    case otherDNRole = "OtherDNRole"
    case thisQueue = "ThisQueue"
    case ani = "ANI"
    case dnis = "DNIS"
    case agentID = "AgentID"
    case previousConnID = "PreviousConnID"
    case thirdPartyDN = "ThirdPartyDN"
    case thirdPartyDNRole = "ThirdPartyDNRole"
    case transferConnID = "TransferConnID"
    case userData = "UserData"
    case reasons = "Reasons"
    case extensions = "Extensions"
    case cause = "Cause"
    case referenceID = "ReferenceID"
    case errorCode = "ErrorCode"
    case errorMessage = "ErrorMessage"
    case place = "Place"
    case mediaType = "MediaType"
    case workMode = "WorkMode"
    case serverStartTime = "ServerStartTime"
    case eventSequenceNumber = "EventSequenceNumber"
    /// The region declared down whose call or agent this event closes; only in events that close orphans.
    case regionDown = "RegionDown"

    private static let table = NameTable(VoiceAttribute.allCases.enumerated().map { ($1.rawValue, UInt8($0)) })

    static func named(_ bytes: Span<UInt8>, in range: Range<Int>) -> VoiceAttribute? {
        table.value(of: bytes, in: range).map { all[Int($0)] }
    }

    private static let all = VoiceAttribute.allCases
}
