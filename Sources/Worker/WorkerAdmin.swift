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

    /// How well the worker serves its tenants: 2 healthy, 1 degraded (some component does not do all its work), 0 failed
    /// (readers should not come here).
    var healthLevel: Int {
        guard awaited.isEmpty else { return 0 }
        return states.reports.allSatisfy { $0.state.health == .working } ? 2 : 1
    }

    /// How the region's own Redis is: 2 connected, 1 connecting, 0 refused.
    var redisLevel: Int {
        switch states.state(of: LocalRedis.component)?.health {
        case .working: 2
        case .stopped: 0
        case .waiting, .degraded, nil: 1
        }
    }

    /// Clients of the port of provisioning; nil where it is not served.
    var configClients: Double? {
        region.listeners.config == nil ? nil : metrics.gauge(.listenerConnections, [.port: "config"]).value
    }

    /// What is missing before readers can be served: a worker that stays, the local Redis, the region's lease, and state
    /// that follows the journals. State that is not exact is better than none.
    private var awaited: [String] {
        var required = [Self.component, LocalRedis.component, LeaseKeeper.component]
        let isHolding = states.state(of: LeaseKeeper.component)?.health == .working
        if projects, isHolding { required += ["projection provisioning", "projection voice"] }
        return required.compactMap { component -> String? in
            guard let state = states.state(of: component) else { return component }
            return [.working, .degraded].contains(state.health) ? nil : "\(component): \(state.name)"
        }
    }
}
