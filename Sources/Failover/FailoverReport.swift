/// What `regionsync failover` did, for `--json` and, as `text`, for people. What is not known is absent.
package struct FailoverReport: Encodable, Sendable {
    package struct Step: Encodable, Sendable {
        package let step: FailoverStep
        package let result: StepResult
        /// Since the decision.
        package let beganSeconds: Double
        package let seconds: Double
        package let note: String
    }

    /// Before anything was changed: how much may be lost at most.
    package struct LossAtMost: Encodable, Sendable {
        /// Voice events.
        package let events: UInt64
        /// Of these, counted as missing when the region was heard last.
        package let lackingThen: UInt64
        /// Events a second reckoned with since then.
        package let eventsPerSecond: Double
        /// Since the region was heard last.
        package let seconds: Double
    }

    /// Seconds from the decision until …
    package struct Times: Encodable, Sendable {
        package let fenced: Double?
        package let promoted: Double?
        /// The region captures, and its cache shows the new primary. Reads were served all the while.
        package let serving: Double?
        package let verified: Double?
    }

    package struct History: Encodable, Sendable {
        package let number: UInt64
        package let systemID: String
        package let timeline: UInt32
    }

    package let kind: FailoverMachine.Kind
    package let outcome: String
    package let exitCode: Int32
    /// The region that takes over.
    package let to: String
    /// The region that is down, or hands over.
    package let from: String?
    /// RFC 3339, the host's clock.
    package let decidedAt: String
    package let refusals: [String]
    package let reasons: [String]
    /// What an operator should know before going on, though nothing was refused for it.
    package let warnings: [String]
    package let lossAtMost: LossAtMost?
    package let history: History?
    /// The first transaction ID of the new primary's own, where this run promoted it: what the old primary committed from
    /// there on is lost.
    package let firstTransaction: UInt64?
    package let times: Times
    package let steps: [Step]
    /// By other region: what it and the survivor were given of the region that is down.
    package let levelled: [LevelledRegion]?
    package let closedCalls: Int?
    package let closedAgents: Int?
    /// Entries of the region that came back, which its peers keep and leave out of their state.
    package let withheldEntries: UInt64?
    package let checks: FailoverChecks?
    /// For a dry run.
    package let plan: [FailoverPlan.Item]?

    package init(_ machine: FailoverMachine, decidedAt: String) {
        let ended = machine.outcome ?? .failed(.preflight, reason: "it did not end")
        kind = machine.settings.kind
        outcome = ended.name
        exitCode = ended.exitCode
        to = machine.settings.region
        from = machine.down
        self.decidedAt = decidedAt
        switch ended {
        case .refused(let all):
            refusals = all.map(\.name)
            reasons = all.map(\.text)
        case .failed(let step, let reason):
            refusals = []
            reasons = ["\(step.rawValue): \(reason)"]
        case .passed, .planned, .broken:
            refusals = []
            reasons = []
        }
        warnings = machine.warnings
        let bound = machine.settings.kind == .failover ? machine.bound : nil
        lossAtMost = bound.map {
            LossAtMost(
                events: $0.events, lackingThen: $0.lacking, eventsPerSecond: Self.rounded($0.rate),
                seconds: $0.age.inSeconds)
        }
        history = machine.history.map {
            History(
                number: $0.number, systemID: $0.systemID, timeline: $0.timeline)
        }
        firstTransaction = machine.nextTransaction
        func end(of step: FailoverStep) -> Double? {
            machine.record.first { $0.step == step && $0.result != .failed }?.ended?.inSeconds
        }
        times = Times(
            fenced: machine.settings.hasFence ? end(of: .fence) : nil, promoted: end(of: .promote),
            serving: end(of: .serve), verified: end(of: .verify))
        steps = machine.record.map {
            Step(
                step: $0.step, result: $0.result ?? .failed, beganSeconds: $0.began.inSeconds,
                seconds: (($0.ended ?? $0.began) - $0.began).inSeconds, note: $0.note)
        }
        levelled = machine.levelled
        closedCalls = machine.orphans?.calls
        closedAgents = machine.orphans?.agents
        withheldEntries = machine.rejoined?.withheld
        checks = machine.checks
        plan = ended == .planned ? FailoverPlan(machine).items : nil
    }

    /// To a tenth; what is beyond all measure stays as it is.
    private static func rounded(_ rate: Double) -> Double { rate < 1e12 ? (rate * 10).rounded() / 10 : rate }
}

extension FailoverReport {
    /// For people.
    package var text: String {
        var text =
            "\(kind == .failover ? "Failover" : "Failback")\(from.map { " from \($0)" } ?? "") to \(to): \(outcome)\n"
        for reason in reasons { text += "  \(reason)\n" }
        for warning in warnings { text += "WARNING: \(warning)\n" }
        if let lossAtMost {
            text += "Lost at most: \(lossAtMost.events) voice events, \(lossAtMost.seconds) s "
            text += "(\(lossAtMost.lackingThen) were missing when it was heard last, "
            text += "then \(lossAtMost.eventsPerSecond)/s)\n"
        }
        for item in plan ?? [] { text += "  \(item.step.rawValue): \(item.text)\n" }
        guard outcome != FailoverOutcome.planned.name else { return text }
        if let history {
            text += "History \(history.number), timeline \(history.timeline)\n"
        }
        for step in steps {
            text += "  \(step.step.rawValue): \(step.result.rawValue), \(step.seconds) s"
            text += step.note.isEmpty ? "\n" : ", \(step.note)\n"
        }
        if let serving = times.serving { text += "Serving \(serving) s after the decision\n" }
        if let checks {
            text += "Checks: \(checks.drift) of \(checks.objects) objects differ, \(checks.openCalls) calls open, "
            text += "\(checks.loggedInAgents) agents logged in, \(checks.beyondCut) journals beyond the cut"
            if checks.beyondCutElsewhere > 0 { text += ", \(checks.beyondCutElsewhere) in other regions" }
            text += "\n"
        }
        return text
    }
}

extension Duration {
    /// To the millisecond.
    var inSeconds: Double {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        return Double(milliseconds) / 1000
    }
}
