/// AttributeCallType. Codes that are not named here are kept as they came.
package struct CallType: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let unknown = CallType(rawValue: 0)
    package static let `internal` = CallType(rawValue: 1)
    package static let inbound = CallType(rawValue: 2)
    package static let outbound = CallType(rawValue: 3)
    package static let consult = CallType(rawValue: 4)
}

/// AttributeCallState: how the call came to be as it is. Codes that are not named here are kept as they came.
package struct CallState: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let ok = CallState(rawValue: 0)
    package static let transferred = CallState(rawValue: 1)
    package static let conferenced = CallState(rawValue: 2)
    package static let generalError = CallState(rawValue: 3)
    package static let systemError = CallState(rawValue: 4)
    package static let remoteRelease = CallState(rawValue: 5)
    package static let busy = CallState(rawValue: 6)
    package static let noAnswer = CallState(rawValue: 7)
    package static let answeringMachine = CallState(rawValue: 9)
    package static let abandoned = CallState(rawValue: 21)
    package static let redirected = CallState(rawValue: 22)
    package static let forwarded = CallState(rawValue: 23)
    package static let consult = CallState(rawValue: 24)
    package static let dropped = CallState(rawValue: 26)
    package static let unknown = CallState(rawValue: 28)
}

/// A party's role in its call: AttributeThisDNRole. Codes that are not named here are kept as they came.
package struct PartyRole: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let unknown = PartyRole(rawValue: 0)
    package static let origination = PartyRole(rawValue: 1)
    package static let destination = PartyRole(rawValue: 2)
    package static let conferenceMember = PartyRole(rawValue: 3)
    package static let newParty = PartyRole(rawValue: 4)
    package static let observer = PartyRole(rawValue: 10)
}

/// AttributeWorkMode of an agent. Codes that are not named here are kept as they came.
package struct WorkMode: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let unknown = WorkMode(rawValue: 0)
    package static let manualIn = WorkMode(rawValue: 1)
    package static let autoIn = WorkMode(rawValue: 2)
    package static let afterCallWork = WorkMode(rawValue: 3)
    package static let auxWork = WorkMode(rawValue: 4)
}
