package import AdminHTTP
internal import Observability
internal import RegionConfig

extension RegionWorker {
    /// The admin port's answers, all from memory.
    package var adminAnswers: AdminAnswers {
        AdminAnswers(
            metrics: { metrics.snapshot() },
            readiness: { awaited.isEmpty ? .ready : .waiting(for: awaited) },
            status: { () -> any Encodable & Sendable in
                WorkerStatus(region: region.name, waitingFor: awaited, states: states, metrics: metrics.snapshot())
            })
    }

    /// What is missing before readers can be served: the local Redis, and state that follows the journals.
    private var awaited: [String] {
        let required = [LocalRedis.component] + (projects ? ["projection provisioning", "projection voice"] : [])
        return required.compactMap { component -> String? in
            guard let state = states.state(of: component) else { return component }
            return state.health == .working ? nil : "\(component): \(state.name)"
        }
    }
}
