/// What each step would do, for `--dry-run`.
package struct FailoverPlan: Hashable, Sendable {
    package struct Item: Hashable, Codable, Sendable {
        package let step: FailoverStep
        package let text: String
    }

    package let items: [Item]

    /// Said wherever there is no fence.
    package static let noFence =
        "no failover.fence in the region file: if the old primary lives, it goes on taking writes that will be lost"

    /// The plan of a machine that has looked.
    package init(_ machine: FailoverMachine) {
        let settings = machine.settings
        let down = machine.down ?? "the other region"
        let isNumbered = machine.began?.captureRegion == settings.region && !machine.isInRecovery
        let number = isNumbered ? machine.began?.number : machine.nextNumber
        items = machine.steps.dropFirst().map { step in
            let text =
                switch step {
                case .preflight: ""
                case .reserve:
                    "reserves history \(number ?? 0) in \(settings.region) and every other region that can be reached"
                case .rejoin:
                    "closes what \(settings.region) left open, and lets its peers project what it writes from then on"
                case .fence: settings.hasFence ? "runs failover.fence for \(down)" : Self.noFence
                case .level: (machine.holding?.others ?? []).map(\.plan).joined(separator: "; ")
                case .drain:
                    "waits until what is here of \(down) is projected: \(machine.holding?.journals ?? 0) voice journals"
                case .promote: machine.isInRecovery ? "runs failover.promote" : "nothing: the server takes writes"
                case .number:
                    isNumbered
                        ? "nothing: history \(number ?? 0) names \(settings.region)"
                        : "adds history \(number ?? 0), captured by \(settings.region), to regionsync.history"
                case .declare:
                    machine.isDeclared
                        ? "nothing: \(down) is declared down"
                        : "ends the journals of \(down) where the copies end, and declares it down in \(settings.region)"
                case .close: "closes the open calls of \(down) and logs its agents out, each once"
                case .serve: "waits until \(settings.region) captures in history \(number ?? 0)"
                case .verify: "compares the new primary with the cache of \(settings.region)"
                }
            return Item(step: step, text: text)
        }
    }
}
