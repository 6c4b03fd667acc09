/// The steps of a failover, in their order. Each can be repeated: what is done already is found so and left as it is.
package enum FailoverStep: String, CaseIterable, Codable, Hashable, Sendable {
    /// Look at everything that is needed; refuse here or never.
    case preflight
    /// Reserve the next history number where other regions see it: of two that would take over one yields here.
    case reserve
    /// Let the other regions project again what this one writes from now on.
    case rejoin
    /// Keep the old primary from taking writes.
    case fence
    /// Let this region and the others have the same of the one that is down: as much as any of them has.
    case level
    /// Let the region project what it holds of the one that is down.
    case drain
    /// Make the standby the primary.
    case promote
    /// Claim the next history number: of two operators one yields here.
    case number
    /// Say where the journals of the region that is down end, for everybody.
    case declare
    /// Close the calls and log out the agents that it has left.
    case close
    /// Wait until the region captures from the new primary, and its cache shows what that holds.
    case serve
    /// Compare.
    case verify
}

extension FailoverStep {
    /// Those of a region that takes over from one that is down.
    package static let takeover: [FailoverStep] = [
        .preflight, .reserve, .fence, .level, .drain, .promote, .number, .declare, .close, .serve, .verify,
    ]
    /// Those of them that are for nothing where there are two regions only.
    package static let amongOthers: Set<FailoverStep> = [.reserve, .level]
    /// Those of a region that came back and is given its role again.
    package static let handback: [FailoverStep] = [
        .preflight, .rejoin, .fence, .drain, .promote, .number, .serve, .verify,
    ]
}

/// How a step ended.
package enum StepResult: String, Codable, Hashable, Sendable {
    case done
    /// An earlier run had done it.
    case found
    /// There is nothing to do it with, and it goes on without.
    case skipped
    case failed
}

/// A step as it went.
package struct StepRecord: Hashable, Sendable {
    package let step: FailoverStep
    /// Since the decision.
    package let began: Duration
    package internal(set) var ended: Duration?
    package internal(set) var result: StepResult?
    /// What was found or done, for people.
    package internal(set) var note = ""
}
