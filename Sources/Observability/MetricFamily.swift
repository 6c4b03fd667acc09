/// What one metric is: its name, kind, unit, meaning and labels. All of ours stand in the tables beside this file.
package struct MetricFamily: Sendable {
    /// How its values behave.
    package enum Kind: String, Sendable {
        /// Only grows while the process lives; written with the suffix `_total`.
        case counter
        /// Goes up and down, and is absent while unknown.
        case gauge
        /// Observations sorted into buckets.
        case histogram
    }

    /// The base unit of its values; the name ends in it.
    package enum Unit: String, Sendable {
        case seconds
        case bytes
    }

    /// The name as OpenMetrics has it: a counter's without `_total`.
    package let name: String
    package let kind: Kind
    package let unit: Unit?
    /// One sentence for people.
    package let help: String
    /// The labels every series carries, in the order in which they are written.
    package let labels: [MetricLabel]
    /// Upper bounds of a histogram's buckets, ascending, without +Inf; empty for the other kinds.
    package let bounds: [Double]

    /// A number that only grows.
    package static func counter(
        _ name: String, _ help: String, unit: Unit? = nil, labels: [MetricLabel] = []
    ) -> MetricFamily {
        MetricFamily(name: name, kind: .counter, unit: unit, help: help, labels: labels, bounds: [])
    }

    /// A number that goes up and down.
    package static func gauge(
        _ name: String, _ help: String, unit: Unit? = nil, labels: [MetricLabel] = []
    ) -> MetricFamily {
        MetricFamily(name: name, kind: .gauge, unit: unit, help: help, labels: labels, bounds: [])
    }

    /// Observations sorted into buckets with these upper bounds.
    package static func histogram(
        _ name: String, _ help: String, unit: Unit? = .seconds, labels: [MetricLabel] = [], bounds: [Double]
    ) -> MetricFamily {
        MetricFamily(name: name, kind: .histogram, unit: unit, help: help, labels: labels, bounds: bounds)
    }
}

/// Two families are the same when their names are.
extension MetricFamily: Hashable {
    package static func == (left: MetricFamily, right: MetricFamily) -> Bool { left.name == right.name }

    package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// A label a metric may carry. Each has values bounded by configuration or by our own code.
package enum MetricLabel: String, Comparable, Sendable {
    case component
    case state
    case peer
    case topic
    case direction
    case table
    case op
    case cause
    case type
    case port
    case command
    case result
    case reason
    case kind
    case certificate
    case tenant
    case version
    case region
    case family

    package static func < (left: MetricLabel, right: MetricLabel) -> Bool { left.rawValue < right.rawValue }
}
