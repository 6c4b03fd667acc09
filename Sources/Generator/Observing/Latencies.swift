import Histogram

/// Latencies of a run and of its last second, in µs with three significant digits, an hour at most.
struct Latencies {
    private var all = Latencies.empty
    private var recent = Latencies.empty

    mutating func record(nanoseconds: Int64) {
        let microseconds = UInt64(min(max(0, nanoseconds / 1000), 3_600_000_000))
        all.record(microseconds)
        recent.record(microseconds)
    }

    /// Since the beginning.
    var total: LatencyFigures? { Self.figures(all) }

    /// Since it was asked last.
    mutating func takeRecent() -> LatencyFigures? {
        defer { if recent.totalCount > 0 { recent.reset() } }
        return Self.figures(recent)
    }

    private static var empty: Histogram<UInt64> {
        Histogram(highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: .three)
    }

    private static func figures(_ histogram: Histogram<UInt64>) -> LatencyFigures? {
        guard histogram.totalCount > 0 else { return nil }
        func milliseconds(_ microseconds: UInt64) -> Double { Double(microseconds) / 1000 }
        return LatencyFigures(
            p50: milliseconds(histogram.valueAtPercentile(50)), p99: milliseconds(histogram.valueAtPercentile(99)),
            max: milliseconds(histogram.maxRecorded), count: histogram.totalCount)
    }
}
