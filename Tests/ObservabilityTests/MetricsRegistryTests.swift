import Observability
import Testing

@Suite("Metrics registry")
struct MetricsRegistryTests {
    @Test("the same labels give the same handle, whatever their order")
    func sameHandle() {
        let registry = MetricsRegistry()
        let first = registry.counter(.captureChanges, [.table: "provisioning.person", .op: "insert"])
        let second = registry.counter(.captureChanges, [.op: "insert", .table: "provisioning.person"])
        #expect(first === second)
        #expect(first !== registry.counter(.captureChanges, [.op: "delete", .table: "provisioning.person"]))
    }

    @Test("a gauge is absent until it is known and when it is unknown again")
    func absentGauge() {
        let registry = MetricsRegistry()
        let gauge = registry.gauge(.mirrorLagSeconds, [.peer: "eu-west"])
        #expect(registry.snapshot().number(.mirrorLagSeconds, [.peer: "eu-west"]) == nil)
        gauge.set(.milliseconds(1_500))
        #expect(registry.snapshot().number(.mirrorLagSeconds, [.peer: "eu-west"]) == 1.5)
        gauge.set(nil)
        #expect(registry.snapshot().families[.mirrorLagSeconds] == nil)
        gauge.add(2)
        gauge.add(-0.5)
        #expect(gauge.value == 1.5)
        gauge.set(.nan)
        #expect(gauge.value == nil)
    }

    @Test("sampled gauges and samplers are read at each scrape")
    func sampled() {
        let registry = MetricsRegistry()
        let source = Gauge.standalone(in: registry)
        registry.gauge(.kafkaQueueMessages) { source.value }
        registry.onScrape { $0.set(.mirrorLagEntries, [.peer: "b", .topic: "voice"], to: source.value) }
        #expect(registry.snapshot().number(.kafkaQueueMessages) == nil)
        source.set(7)
        #expect(registry.snapshot().number(.kafkaQueueMessages) == 7)
        #expect(registry.snapshot().number(.mirrorLagEntries, [.peer: "b", .topic: "voice"]) == 7)
    }

    @Test("series beyond the limit are not rendered, but counted")
    func bounded() {
        let registry = MetricsRegistry(seriesLimit: 2)
        for tenant in ["101", "102", "103", "104"] { registry.gauge(.tenantHealthLevel, [.tenant: tenant]).set(2) }
        registry.gauge(.tenantHealthLevel, [.tenant: "101"]).set(1)
        registry.onScrape { samples in
            for peer in ["a", "b", "c"] { samples.set(.mirrorLinkUp, [.peer: peer], to: 1) }
        }
        let snapshot = registry.snapshot()
        #expect(snapshot.families[.tenantHealthLevel]?.count == 2)
        #expect(snapshot.number(.tenantHealthLevel, [.tenant: "101"]) == 1)
        #expect(snapshot.number(.droppedSeries, [.family: "tenant_service_health_level"]) == 2)
        #expect(snapshot.families[.mirrorLinkUp]?.count == 2)
        #expect(snapshot.number(.droppedSeries, [.family: "regionsync_mirror_link_up"]) == 1)
    }

    @Test("nothing is lost when many count at once")
    func concurrent() async {
        let registry = MetricsRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let counter = registry.counter(.projectionApplied)
                    let gauge = registry.gauge(.kafkaQueueMessages)
                    let histogram = registry.histogram(.mirrorLatencySeconds, [.peer: "b"])
                    for _ in 0..<5_000 {
                        counter.add()
                        gauge.add(1)
                        histogram.observe(.milliseconds(1))
                    }
                }
            }
        }
        let snapshot = registry.snapshot()
        #expect(snapshot.number(.projectionApplied) == 40_000)
        #expect(snapshot.number(.kafkaQueueMessages) == 40_000)
        #expect(snapshot.histogram(.mirrorLatencySeconds, [.peer: "b"])?.count == 40_000)
    }

    @Test("the process tells its own figures")
    func process() throws {
        let registry = MetricsRegistry()
        ProcessMetrics.install(in: registry)
        let snapshot = registry.snapshot()
        #expect(try #require(snapshot.number(.processCPUSeconds)) > 0)
        #expect(try #require(snapshot.number(.processResidentMemoryBytes)) > 1_000_000)
        #expect(try #require(snapshot.number(.processOpenFDs)) >= 3)
        #expect(try #require(snapshot.number(.processMaxFDs)) > 3)
        #expect(try #require(snapshot.number(.processThreads)) >= 1)
        let started = try #require(snapshot.number(.processStartTimeSeconds))
        #expect(abs(started - Timestamp.now.seconds) < 3_600)
    }

    @Test("a process name may hold anything, a short line is refused")
    func processStat() {
        let rest = "S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 1234 56789 321 18446744073709551615"
        let stat = ProcessStat("42 (a) b (c) \(rest)")
        #expect(stat?.threads == 9 && stat?.startTicks == 1_234)
        #expect(stat?.virtualBytes == 56_789 && stat?.residentPages == 321)
        #expect(ProcessStat("42 (x) S 1 1") == nil)
        #expect(ProcessStat("") == nil)
    }
}

extension Gauge {
    /// A gauge under a name these tests do not look at.
    fileprivate static func standalone(in registry: MetricsRegistry) -> Gauge { registry.gauge(.historyNumber) }
}
