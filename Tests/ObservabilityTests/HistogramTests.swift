import Observability
import Testing

@Suite("Histograms")
struct HistogramTests {
    @Test("a bound belongs to its bucket")
    func bounds() {
        var histogram = HistogramSnapshot(bounds: [1, 2])
        for value in [-1, 1, 1.5, 2, 2.1, .infinity, .nan] { histogram.add(value, count: 1) }
        #expect(histogram.counts == [2, 2, 2])
        #expect(histogram.count == 6)
    }

    @Test("quantiles are interpolated inside their bucket")
    func quantiles() throws {
        var histogram = HistogramSnapshot(bounds: [1, 2, 4])
        #expect(histogram.quantile(0.5) == nil)
        histogram.add(0.5, count: 50)
        histogram.add(3, count: 50)
        #expect(histogram.quantile(0.25) == 0.5)
        #expect(histogram.quantile(0.5) == 1)
        #expect(histogram.quantile(0.75) == 3)
        #expect(histogram.quantile(1) == 4)
        histogram.add(100, count: 900)
        #expect(histogram.quantile(0.99) == 4)
        #expect(histogram.quantile(0) == 0)
    }

    @Test(
        "latency quantiles are right within a bucket, from 100 µs to 10 s",
        arguments: [0.0001, 0.0007, 0.02, 0.08, 10])
    func latency(scale: Double) throws {
        let registry = MetricsRegistry()
        let histogram = registry.histogram(.mirrorLatencySeconds, [.peer: "b"])
        histogram.observe(contentsOf: (1...1_000).map { scale * (0.5 + Double($0) / 1_000) })
        let median = try #require(histogram.snapshot.quantile(0.5))
        #expect(abs(median / scale - 1) < 0.25, "\(median) for \(scale)")
    }

    @Test("a window is the difference of two snapshots")
    func window() throws {
        let registry = MetricsRegistry()
        let histogram = registry.histogram(.commitToVisibleSeconds)
        histogram.observe(.seconds(5), count: 1_000)
        let before = histogram.snapshot
        histogram.observe(.milliseconds(2), count: 3)
        let window = histogram.snapshot.since(before)
        #expect(window.count == 3)
        #expect(abs(window.sum - 0.006) < 1e-6)
        #expect(try #require(window.quantile(0.99)) <= 0.002)
    }
}
