import Observability
import Testing

@Suite("Exposition text")
struct MetricsTextTests {
    private static let calls = MetricFamily.counter(
        "t_calls", "Calls.\nBy \"kind\" \\ topic.", labels: [.kind, .topic])
    private static let seconds = MetricFamily.histogram(
        "t_seconds", "Time.", labels: [.peer], bounds: [0.00005, 0.1, 1])
    private static let lag = MetricFamily.gauge("t_lag_seconds", "Lag.", unit: .seconds)
    private static let unknown = MetricFamily.gauge("t_unknown", "Never set.")

    private static func filled() -> MetricsRegistry {
        let registry = MetricsRegistry()
        registry.counter(calls, [.kind: "b\\\"\n", .topic: "é"]).add(3)
        registry.counter(calls, [.kind: "a", .topic: "z"]).add()
        registry.counter(calls, [.topic: "b", .kind: "a"]).add(2)
        registry.gauge(lag).set(0.25)
        _ = registry.gauge(unknown)
        registry.histogram(seconds, [.peer: "eu-west"]).observe(contentsOf: [0.00001, 0.1, 0.5, 7])
        return registry
    }

    @Test("0.0.4: a counter's family carries _total, quotes stay in HELP")
    func prometheusText() {
        #expect(
            MetricsFormat.prometheusText.render(Self.filled().snapshot()) == """
                # HELP t_calls_total Calls.\\nBy "kind" \\\\ topic.
                # TYPE t_calls_total counter
                t_calls_total{kind="a",topic="b"} 2
                t_calls_total{kind="a",topic="z"} 1
                t_calls_total{kind="b\\\\\\"\\n",topic="é"} 3
                # HELP t_lag_seconds Lag.
                # TYPE t_lag_seconds gauge
                t_lag_seconds 0.25
                # HELP t_seconds Time.
                # TYPE t_seconds histogram
                t_seconds_bucket{peer="eu-west",le="5e-05"} 1
                t_seconds_bucket{peer="eu-west",le="0.1"} 2
                t_seconds_bucket{peer="eu-west",le="1.0"} 3
                t_seconds_bucket{peer="eu-west",le="+Inf"} 4
                t_seconds_sum{peer="eu-west"} 7.60001
                t_seconds_count{peer="eu-west"} 4

                """)
    }

    @Test("OpenMetrics: bare family names, units, quotes escaped in HELP, EOF")
    func openMetrics() {
        #expect(
            MetricsFormat.openMetrics.render(Self.filled().snapshot()) == """
                # TYPE t_calls counter
                # HELP t_calls Calls.\\nBy \\"kind\\" \\\\ topic.
                t_calls_total{kind="a",topic="b"} 2
                t_calls_total{kind="a",topic="z"} 1
                t_calls_total{kind="b\\\\\\"\\n",topic="é"} 3
                # TYPE t_lag_seconds gauge
                # UNIT t_lag_seconds seconds
                # HELP t_lag_seconds Lag.
                t_lag_seconds 0.25
                # TYPE t_seconds histogram
                # UNIT t_seconds seconds
                # HELP t_seconds Time.
                t_seconds_bucket{peer="eu-west",le="5e-05"} 1
                t_seconds_bucket{peer="eu-west",le="0.1"} 2
                t_seconds_bucket{peer="eu-west",le="1.0"} 3
                t_seconds_bucket{peer="eu-west",le="+Inf"} 4
                t_seconds_sum{peer="eu-west"} 7.60001
                t_seconds_count{peer="eu-west"} 4
                # EOF

                """)
    }

    @Test("nothing known is an empty exposition")
    func empty() {
        let snapshot = MetricsRegistry().snapshot()
        #expect(MetricsFormat.prometheusText.render(snapshot).isEmpty)
        #expect(MetricsFormat.openMetrics.render(snapshot) == "# EOF\n")
    }

    @Test("numbers are written as the formats have them")
    func numbers() {
        for (value, text) in [
            (0, "0"), (-3, "-3"), (1e15, "1000000000000000"), (0.1, "0.1"), (1e-7, "1e-07"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"), (1.5e300, "1.5e+300"),
        ] as [(Double, String)] {
            let registry = MetricsRegistry()
            registry.gauge(Self.lag).set(value)
            #expect(MetricsFormat.prometheusText.render(registry.snapshot()).hasSuffix("\nt_lag_seconds \(text)\n"))
        }
    }

    @Test("every metric of ours has a legal, unique name and its unit at the end of it")
    func table() {
        let families = MetricFamily.all
        #expect(Set(families.map(\.sampleName)).count == families.count)
        for family in families {
            let prefixes = ["regionsync_", "tenant_", "process_"]
            #expect(prefixes.contains { family.name.hasPrefix($0) }, "\(family.name)")
            #expect(family.name.allSatisfy { $0 == "_" || ($0.isASCII && $0.isLowercase) || $0.isNumber })
            #expect(!family.name.hasSuffix("_total"), "\(family.name)")
            #expect(!family.help.isEmpty && family.help.hasSuffix("."), "\(family.name)")
            for unit in ["seconds", "bytes"] where family.name.hasSuffix("_" + unit) {
                #expect(family.unit?.rawValue == unit, "\(family.name)")
            }
            if let unit = family.unit { #expect(family.name.hasSuffix("_" + unit.rawValue), "\(family.name)") }
            #expect(family.bounds == family.bounds.sorted() && Set(family.bounds).count == family.bounds.count)
            #expect((family.kind == .histogram) == !family.bounds.isEmpty)
        }
    }
}
