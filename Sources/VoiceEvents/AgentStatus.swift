/// What an agent or a DN is doing, from low to high priority (domain.md, "Agents").
package enum AgentStatus: Int, CaseIterable, Comparable, Hashable, Sendable {
    case notMonitored
    case monitored
    case loggedIn
    case onHook
    case waitForNextCall
    case offHook
    case callDialing
    case callRinging
    case notReadyForNextCall
    case afterCallWork
    case callOnHold
    case callUnknown
    case callConsult
    case callInternal
    case callOutbound
    case callInbound
    case loggedOut

    package static func < (left: AgentStatus, right: AgentStatus) -> Bool { left.rawValue < right.rawValue }

    /// An agent's status: the highest of its DNs', LoggedOut when it is on none.
    package static func highest(of statuses: some Sequence<AgentStatus>) -> AgentStatus {
        statuses.max() ?? .loggedOut
    }

    /// What a session alone says of its DN.
    package init(of session: AgentMachine.Session) {
        switch (session.state, session.workMode) {
        case (.null, _): self = .loggedOut
        case (.ready, _): self = .waitForNextCall
        case (.notReady, .afterCallWork): self = .afterCallWork
        case (.notReady, _): self = .notReadyForNextCall
        }
    }

    /// What a party says of its DN; nil for one that occupies nobody (waiting in a queue or at a routing point).
    package init?(of party: CallMachine.Party, in type: CallType) {
        switch party.state {
        case .null, .queued, .routing, .routed: return nil
        case .alerting: self = .callRinging
        case .dialing: self = .callDialing
        case .busy: self = .offHook
        case .held: self = .callOnHold
        case .connected:
            switch type {
            case .internal: self = .callInternal
            case .inbound: self = .callInbound
            case .outbound: self = .callOutbound
            case .consult: self = .callConsult
            default: self = .callUnknown
            }
        }
    }
}

extension AgentMachine {
    /// The agent's status, given the calls that have a party on one of its DNs.
    package func status(calls: [CallMachine]) -> AgentStatus {
        AgentStatus.highest(
            of: current.map { session in
                let onCalls = calls.compactMap { call in
                    call.party(session.dn).flatMap { AgentStatus(of: $0, in: call.callType) }
                }
                return max(AgentStatus(of: session), onCalls.max() ?? .notMonitored)
            })
    }
}
