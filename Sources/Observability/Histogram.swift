internal import Synchronization

/// Observations sorted into buckets. An observation is a binary search and one short lock, nothing is allocated.
package final class Histogram: Sendable {
    private let state: Mutex<HistogramSnapshot>

    internal init(bounds: [Double]) {
        state = Mutex(HistogramSnapshot(bounds: bounds))
    }

    /// Adds `count` observations of the same value; NaN is dropped.
    package func observe(_ value: Double, count: Int = 1) {
        state.withLock { $0.add(value, count: count) }
    }

    /// Adds `count` observations of the same duration, in seconds.
    package func observe(_ value: Duration, count: Int = 1) { observe(value.inSeconds, count: count) }

    /// Adds a batch of observations under one lock.
    package func observe(contentsOf values: some Sequence<Double>) {
        state.withLock { state in
            for value in values { state.add(value, count: 1) }
        }
    }

    /// Everything observed so far, consistent in itself.
    package var snapshot: HistogramSnapshot { state.withLock { $0 } }
}

/// What a histogram held at one moment.
package struct HistogramSnapshot: Hashable, Sendable {
    /// Upper bounds, inclusive, ascending; a bucket without bound follows the last.
    package let bounds: [Double]
    /// Observations of each bucket alone (not cumulative), one more than there are bounds.
    package private(set) var counts: [UInt64]
    /// Sum of all observations.
    package private(set) var sum = 0.0

    /// Nothing observed yet.
    package init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// Number of observations.
    package var count: UInt64 { counts.reduce(0, &+) }

    /// The value below which the fraction `rank` (0…1) of the observations lies, interpolated inside its bucket as
    /// Prometheus' `histogram_quantile` does; beyond the last bound it is the last bound. Nil without observations.
    package func quantile(_ rank: Double) -> Double? {
        let total = count
        guard total > 0, let last = bounds.last else { return nil }
        let wanted = min(max(rank, 0), 1) * Double(total)
        var below: UInt64 = 0
        for (index, bound) in bounds.enumerated() {
            let inside = counts[index]
            if inside > 0 && Double(below &+ inside) >= wanted {
                let lower = index == 0 ? min(0, bound) : bounds[index - 1]
                return lower + (bound - lower) * (wanted - Double(below)) / Double(inside)
            }
            below &+= inside
        }
        return last
    }

    /// What was observed since `earlier`, a snapshot of the same histogram.
    package func since(_ earlier: HistogramSnapshot) -> HistogramSnapshot {
        precondition(earlier.bounds == bounds, "snapshots of two histograms")
        var rest = self
        for index in counts.indices { rest.counts[index] &-= earlier.counts[index] }
        rest.sum -= earlier.sum
        return rest
    }

    /// Adds observations of one value; NaN is dropped.
    package mutating func add(_ value: Double, count: Int) {
        guard !value.isNaN, count > 0 else { return }
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        counts[low] &+= UInt64(count)
        sum += value * Double(count)
    }
}
