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

    /// What is missing before readers can be served: a worker that stays, the local Redis, and state that follows the
    /// journals. State that is not exact is better than none.
    private var awaited: [String] {
        let required =
            [Self.component, LocalRedis.component] + (projects ? ["projection provisioning", "projection voice"] : [])
        return required.compactMap { component -> String? in
            guard let state = states.state(of: component) else { return component }
            return [.working, .degraded].contains(state.health) ? nil : "\(component): \(state.name)"
        }
    }
}
