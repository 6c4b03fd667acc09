/// The values of all metrics at one moment, ready to be rendered or looked up.
package struct MetricsSnapshot: Sendable {
    /// The value of one series.
    package enum Value: Hashable, Sendable {
        case number(Double)
        case histogram(HistogramSnapshot)
    }

    /// Series by the values of their labels, of the families that have any.
    package private(set) var families: [MetricFamily: [[String]: Value]] = [:]

    private let seriesLimit: Int

    internal init(seriesLimit: Int) {
        self.seriesLimit = seriesLimit
    }

    /// Sets the value of a counter or a gauge; nil leaves it absent. A family holds no more series than its registry
    /// allows.
    package mutating func set(_ family: MetricFamily, _ labels: [MetricLabel: String] = [:], to value: Double?) {
        precondition(family.kind != .histogram, "\(family.name) is a histogram")
        let values = family.values(of: labels)
        guard families[family]?[values] != nil || families[family, default: [:]].count < seriesLimit else {
            families[.droppedSeries, default: [:]][[family.name]] = .number(
                1 + (number(.droppedSeries, [.family: family.name]) ?? 0))
            return
        }
        add(family, values, value.map { .number($0) })
    }

    /// The value of a counter or a gauge, nil while it is unknown.
    package func number(_ family: MetricFamily, _ labels: [MetricLabel: String] = [:]) -> Double? {
        guard case .number(let number) = families[family]?[family.values(of: labels)] else { return nil }
        return number
    }

    /// The content of a histogram, nil when there is none with these labels.
    package func histogram(_ family: MetricFamily, _ labels: [MetricLabel: String] = [:]) -> HistogramSnapshot? {
        guard case .histogram(let histogram) = families[family]?[family.values(of: labels)] else { return nil }
        return histogram
    }

    internal mutating func add(_ family: MetricFamily, _ values: [String], _ value: Value?) {
        guard let value else { return }
        families[family, default: [:]][values] = value
    }
}
