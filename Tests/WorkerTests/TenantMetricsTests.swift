import Journal
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing
import Worker

@Suite("The metrics of tenants", .serialized)
struct TenantMetricsTests {
    @Test("as many tenants as allowed: those of the region file first, then by rising dbid; who has metrics keeps them")
    func labelled() {
        var labelled = LabelledTenants(first: ["500"], limit: 4)
        labelled.seen(["1000", "7", "no number", "500"])
        #expect(labelled.tenants == ["500", "7", "1000"] && !labelled.isFull)
        labelled.seen(["3", "4", "7"])
        #expect(labelled.tenants == ["500", "7", "1000", "3"] && labelled.isFull)
        labelled.seen(["1"])
        #expect(labelled.tenants == ["500", "7", "1000", "3"])
        #expect(LabelledTenants(first: ["1", "2", "3"], limit: 2).tenants == ["1", "2"])
        var none = LabelledTenants(first: ["1"], limit: 0)
        none.seen(["2"])
        #expect(none.tenants.isEmpty)
    }

    @Test("on a real Redis: calls that are alive, health and Redis by tenant; without Redis calls are unknown")
    func scrape() async throws {
        try await RedisServer.with { server in
            let client = RedisClient(
                endpoint: server.patientEndpoint, name: "test",
                eventLoop: MultiThreadedEventLoopGroup.singleton.any())
            let metrics = MetricsRegistry()
            let tenants = TenantMetrics(
                LabelledTenants(first: ["9"], limit: 2), client: client, metrics: metrics, health: { 1 }, redis: { 2 })
            #expect(metrics.snapshot().number(.tenantHealthLevel, [.tenant: "9"]) == 1)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await client.run() }
                let connection = try await client.connection()
                _ = try await connection.send(RedisCommand("SADD", tenantsKey, "101", "102"))
                _ = try await connection.send(RedisCommand("SADD", "calls:{101}:active", "c1", "c2"))
                tasks.addTask { await tenants.run() }
                try await wait("calls", in: metrics) { $0.number(.tenantActiveCalls, [.tenant: "101"]) == 2 }
                let snapshot = metrics.snapshot()
                #expect(snapshot.number(.tenantActiveCalls, [.tenant: "9"]) == 0)
                #expect(snapshot.families[.tenantHealthLevel]?.keys.sorted { $0[0] < $1[0] } == [["101"], ["9"]])
                let text = MetricsFormat.prometheusText.render(snapshot)
                for line in [
                    #"tenant_service_health_level{tenant="101"} 1"#, #"tenant_redis_state{tenant="101"} 2"#,
                    #"tenant_tserver_active_calls{tenant="101"} 2"#,
                ] { #expect(text.contains(line + "\n")) }
                #expect(!text.contains("tenant_cs_clients") && !text.contains("tenant_ocs_health_level"))
                await server.kill()
                try await wait("unknown calls", in: metrics) { $0.number(.tenantActiveCalls, [.tenant: "101"]) == nil }
                #expect(metrics.snapshot().number(.tenantHealthLevel, [.tenant: "101"]) == 1)
                tasks.cancelAll()
            }
        }
    }

    private func wait(
        _ what: String, in metrics: MetricsRegistry, until isTrue: (MetricsSnapshot) -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            if isTrue(metrics.snapshot()) { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("\(what) did not come")
    }
}
