internal import Journal
package import Observability
internal import Projection
internal import RESP
package import RedisClient
internal import Synchronization

/// The metrics that the platform's dashboards know, for as many tenants as the region file allows.
package final class TenantMetrics: Sendable {
    /// How the worker does, at a scrape.
    package typealias Level = @Sendable () -> Int

    private struct Known {
        var labelled: LabelledTenants
        /// Calls that are alive, by tenant; those of which it is known.
        var activeCalls: [String: Int64] = [:]
    }

    private let client: RedisClient
    private let known: Mutex<Known>

    /// `health` and `redis` are levels from 0 to 2, and `clients` is how many there are of the port of provisioning, nil
    /// where it is not served: the same for all tenants, since one worker and one Redis serve them.
    package init(
        _ labelled: LabelledTenants, client: RedisClient, metrics: MetricsRegistry, health: @escaping Level,
        redis: @escaping Level, clients: @escaping @Sendable () -> Double? = { nil }
    ) {
        self.client = client
        known = Mutex(Known(labelled: labelled))
        metrics.onScrape { [self] samples in
            let known = known.withLock { $0 }
            for tenant in known.labelled.tenants {
                samples.set(.tenantHealthLevel, [.tenant: tenant], to: Double(health()))
                samples.set(.tenantRedisState, [.tenant: tenant], to: Double(redis()))
                samples.set(.tenantConfigClients, [.tenant: tenant], to: clients())
                samples.set(.tenantActiveCalls, [.tenant: tenant], to: known.activeCalls[tenant].map { Double($0) })
            }
        }
    }

    /// Looks every five seconds, until cancelled; every second while it cannot.
    package func run() async {
        while !Task.isCancelled {
            let calls = await activeCalls()
            known.withLock { $0.activeCalls = calls ?? [:] }
            try? await Task.sleep(for: .seconds(calls == nil ? 1 : 5))
        }
    }

    /// By tenant; nil where the server cannot be asked.
    private func activeCalls() async -> [String: Int64]? {
        guard case .connected(let connection) = await client.state else { return nil }
        if known.withLock({ !$0.labelled.isFull }) {
            guard let tenants = try? await connection.send(RedisCommand("SMEMBERS", tenantsKey)) else { return nil }
            known.withLock { $0.labelled.seen(tenants.elements.compactMap(\.string)) }
        }
        let tenants = known.withLock { $0.labelled.tenants }
        let counts = await connection.pipeline(
            tenants.map { RedisCommand("SCARD", ProjectionKeys.activeCalls(tenant: $0)) })
        var calls: [String: Int64] = [:]
        for (tenant, count) in zip(tenants, counts) { calls[tenant] = try? count.get().integer }
        return calls
    }
}

/// The tenants that have metrics of their own: those the region file names, then the others by rising dbid. One that has
/// them keeps them.
package struct LabelledTenants: Sendable {
    package private(set) var tenants: [String]
    private let limit: Int

    package init(first named: [String], limit: Int) {
        tenants = Array(named.prefix(limit))
        self.limit = limit
    }

    package var isFull: Bool { tenants.count >= limit }

    /// These tenants exist.
    package mutating func seen(_ existing: [String]) {
        guard !isFull else { return }
        let others = existing.compactMap { Int64($0) }.sorted().map(String.init).filter { !tenants.contains($0) }
        tenants += others.prefix(limit - tenants.count)
    }
}
