internal import Synchronization

/// How well a component does what it is for.
package enum ComponentHealth: String, Codable, Hashable, Sendable {
    /// Does its work.
    case working
    /// Starts, or waits for something outside, and goes on by itself.
    case waiting
    /// Works, but less well than it should.
    case degraded
    /// Stopped; goes on only after an operator has acted.
    case stopped
}

/// The state of one component, for people and for metrics.
package struct ComponentState: Codable, Hashable, Sendable {
    /// The component's own word for it, from a fixed list of its own (`streaming`, `snapshot`, `stopped`, …): it becomes
    /// a label value.
    package let name: String
    package let health: ComponentHealth
    /// Why it is so, in a sentence; no secrets, no row or event values.
    package let reason: String?
    /// What an operator can do about it, for example the command or SQL that mends it.
    package let advice: String?

    package init(_ name: String, _ health: ComponentHealth, reason: String? = nil, advice: String? = nil) {
        self.name = name
        self.health = health
        self.reason = reason
        self.advice = advice
    }
}

/// A component, the state it is in, and since when.
package struct ComponentReport: Codable, Hashable, Sendable {
    /// For example `capture`, `mirror eu-west`, `redis`.
    package let component: String
    package let state: ComponentState
    /// RFC 3339, the host's clock.
    package let since: String

    package init(component: String, state: ComponentState, since: String) {
        self.component = component
        self.state = state
        self.since = since
    }
}

/// The states of all components of a worker: written by the components, read by `/status`, metrics and readiness.
package final class ComponentStates: Sendable {
    private struct Component {
        var state: ComponentState
        var since: Timestamp
        var namesSeen: Set<String>
    }

    private let components = Mutex<[String: Component]>([:])

    package init() {}

    /// Sets the state of a component. True when it differs from the state before: then it is worth a log line.
    @discardableResult
    package func set(_ component: String, _ state: ComponentState, at now: Timestamp = .now) -> Bool {
        components.withLock { components in
            guard var known = components[component] else {
                components[component] = Component(state: state, since: now, namesSeen: [state.name])
                return true
            }
            guard known.state != state else { return false }
            if known.state.name != state.name { known.since = now }
            known.state = state
            known.namesSeen.insert(state.name)
            components[component] = known
            return true
        }
    }

    /// Forgets a component that is no longer configured.
    package func remove(_ component: String) {
        components.withLock { _ = $0.removeValue(forKey: component) }
    }

    /// The state of one component, nil before it said anything.
    package func state(of component: String) -> ComponentState? {
        components.withLock { $0[component]?.state }
    }

    /// All components by name.
    package var reports: [ComponentReport] {
        components.withLock { components in
            components.sorted { $0.key < $1.key }.map {
                ComponentReport(component: $0.key, state: $0.value.state, since: $0.value.since.description)
            }
        }
    }

    /// Adds `regionsync_state{component,state}` to every scrape: 1 for the state now, 0 for those seen before.
    package func install(in registry: MetricsRegistry) {
        registry.onScrape { [self] samples in
            let now = components.withLock { $0.mapValues { ($0.state.name, $0.namesSeen) } }
            for (component, (current, names)) in now {
                for name in names {
                    samples.set(.state, [.component: component, .state: name], to: name == current ? 1 : 0)
                }
            }
        }
    }
}
