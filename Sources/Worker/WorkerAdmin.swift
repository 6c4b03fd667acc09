package import AdminHTTP
internal import Observability
internal import RegionConfig

extension RegionWorker {
    /// The admin port's answers, all from memory.
    package var adminAnswers: AdminAnswers {
        AdminAnswers(
            metrics: { metrics.snapshot() }, readiness: { readiness },
            status: { () -> any Encodable & Sendable in
                Status(region: region.name, components: states.reports)
            })
    }

    /// Ready once the local Redis is there and every component that readers depend on works.
    package var readiness: AdminReadiness {
        let awaited = Self.required.compactMap { component -> String? in
            guard let state = states.state(of: component) else { return component }
            return state.health == .working ? nil : "\(component): \(state.name)"
        }
        return awaited.isEmpty ? .ready : .waiting(for: awaited)
    }

    private static let required = [LocalRedis.component]

    private struct Status: Encodable, Sendable {
        let region: String
        let components: [ComponentReport]
    }
}
