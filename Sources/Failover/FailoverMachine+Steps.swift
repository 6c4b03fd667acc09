// Which steps there are, and which regions beside the two take part in them.
extension FailoverMachine {
    /// Its steps, in order.
    package var steps: [FailoverStep] {
        guard settings.kind == .failover else { return FailoverStep.handback }
        return FailoverStep.takeover.filter { step in
            switch step {
            case .reserve: !others.isEmpty && !isTakenOver
            // What was cut stays so.
            case .level: !others.isEmpty && !isDeclared
            default: true
            }
        }
    }

    /// The regions beside this one and the one that is down, as they were looked at.
    private var others: [FoundOther] { holding?.others ?? [] }

    /// Those that could be asked. One that was away is not waited for again.
    var reachable: [String] { others.filter { $0.unreachable == nil }.map(\.region) }

    /// Whether this run holds the number at other regions.
    var hasReserved: Bool { record.contains { $0.step == .reserve && $0.result == .done } }

    /// Whether the region was declared down under the newest history.
    var isDeclared: Bool { holding?.declared != nil && holding?.declared == began?.number }
}
