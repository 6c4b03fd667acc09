internal import Synchronization

/// The metrics of a process: hands out handles, and gathers them for a scrape.
///
/// Handles are resolved once and kept: resolving takes a lock and a dictionary look-up, using a counter or a gauge is
/// one atomic operation. A family has at most `seriesLimit` series; a handle beyond that works but is not rendered,
/// and `regionsync_dropped_series_total` counts it.
package final class MetricsRegistry: Sendable {
    private enum Instrument {
        case counter(Counter)
        case gauge(Gauge)
        case sampled(@Sendable () -> Double?)
        case histogram(Histogram)
    }

    private struct State {
        var series: [MetricFamily: [[String]: Instrument]] = [:]
        var samplers: [@Sendable (inout MetricsSnapshot) -> Void] = []
        var dropped: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let seriesLimit: Int

    package init(seriesLimit: Int = 2_000) {
        self.seriesLimit = seriesLimit
    }

    /// The counter with these labels; the same one for the same labels.
    package func counter(_ family: MetricFamily, _ labels: [MetricLabel: String] = [:]) -> Counter {
        precondition(family.kind == .counter, "\(family.name) is no counter")
        let instrument = resolve(family, labels) { .counter(Counter()) }
        guard case .counter(let counter) = instrument else { return Counter() }
        return counter
    }

    /// The gauge with these labels; the same one for the same labels. Unknown at first.
    package func gauge(_ family: MetricFamily, _ labels: [MetricLabel: String] = [:]) -> Gauge {
        precondition(family.kind == .gauge, "\(family.name) is no gauge")
        let instrument = resolve(family, labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = instrument else { return Gauge() }
        return gauge
    }

    /// The histogram with these labels; the same one for the same labels.
    package func histogram(_ family: MetricFamily, _ labels: [MetricLabel: String] = [:]) -> Histogram {
        precondition(family.kind == .histogram, "\(family.name) is no histogram")
        let instrument = resolve(family, labels) { .histogram(Histogram(bounds: family.bounds)) }
        guard case .histogram(let histogram) = instrument else { return Histogram(bounds: family.bounds) }
        return histogram
    }

    /// A gauge whose value is read at each scrape, absent while that gives nil. Replaces an earlier one with the same
    /// labels. `read` must not block, nor use this registry.
    package func gauge(
        _ family: MetricFamily, _ labels: [MetricLabel: String] = [:], read: @escaping @Sendable () -> Double?
    ) {
        precondition(family.kind == .gauge, "\(family.name) is no gauge")
        _ = resolve(family, labels, replacing: true) { .sampled(read) }
    }

    /// Calls `sampler` at each scrape to add series that have no handle, for example one for each journal there is
    /// just now. It must not block, nor use this registry.
    package func onScrape(_ sampler: @escaping @Sendable (inout MetricsSnapshot) -> Void) {
        state.withLock { $0.samplers.append(sampler) }
    }

    /// All that is known now.
    package func snapshot() -> MetricsSnapshot {
        let (series, samplers, dropped) = state.withLock { ($0.series, $0.samplers, $0.dropped) }
        var snapshot = MetricsSnapshot(seriesLimit: seriesLimit)
        for (family, instruments) in series {
            for (values, instrument) in instruments {
                switch instrument {
                case .counter(let counter): snapshot.add(family, values, .number(Double(counter.value)))
                case .gauge(let gauge): snapshot.add(family, values, gauge.value.map { .number($0) })
                case .sampled(let read): snapshot.add(family, values, read().map { .number($0) })
                case .histogram(let histogram): snapshot.add(family, values, .histogram(histogram.snapshot))
                }
            }
        }
        for (name, count) in dropped { snapshot.add(.droppedSeries, [name], .number(Double(count))) }
        for sampler in samplers { sampler(&snapshot) }
        return snapshot
    }

    private func resolve(
        _ family: MetricFamily, _ labels: [MetricLabel: String], replacing: Bool = false,
        make: @Sendable () -> Instrument
    ) -> Instrument {
        let values = family.values(of: labels)
        return state.withLock { state in
            if !replacing, let known = state.series[family]?[values] { return known }
            let instrument = make()
            let isNew = state.series[family]?[values] == nil
            if isNew && state.series[family, default: [:]].count >= seriesLimit {
                state.dropped[family.name, default: 0] += 1
            } else {
                state.series[family, default: [:]][values] = instrument
            }
            return instrument
        }
    }
}

extension MetricFamily {
    /// The values of exactly the labels of this family, in its order. Other labels are a mistake in our code.
    internal func values(of given: [MetricLabel: String]) -> [String] {
        let values = labels.compactMap { given[$0] }
        precondition(
            values.count == labels.count && given.count == labels.count,
            "\(name) has the labels \(labels.map(\.rawValue))")
        return values
    }
}
