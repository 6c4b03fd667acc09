internal import Journal
internal import PostgresClient
internal import Projection
internal import Provisioning
internal import RedisClient
internal import RegionConfig
internal import RESP
internal import Reconciliation
internal import Worker

/// One pass over one table of a snapshot: every row is looked up in every region's cache.
///
/// Rows come tenant by tenant, so that what is kept of a tenant is forgotten with its last row: a hash a key, to tell
/// IDs that no row has, and its buckets' digests.
struct TablePass {
    private let comparison: ObjectComparison
    private let table: Int
    private let regions: [RegionServer]
    private var tenant: String?
    private var keys: Set<Int> = []
    private var buckets: [Int: BucketDigest] = [:]
    /// Rows so far.
    private(set) var objects = 0
    /// Tenants that have rows.
    private(set) var tenants: Set<String> = []
    /// By region.
    private(set) var suspects: [Suspects]

    /// Rows that are looked up with one pipeline.
    private static let rowsAtOnce = 500

    init(_ comparison: ObjectComparison, table: Int, regions: [RegionServer]) {
        self.comparison = comparison
        self.table = table
        self.regions = regions
        suspects = regions.map { _ in Suspects() }
    }

    /// Compares these rows, which follow those before.
    mutating func compare(_ rows: [StoredObject]) async throws {
        var start = rows.startIndex
        while start < rows.endIndex {
            let tenant = rows[start].tenant
            if self.tenant != tenant { try await endTenant() }
            self.tenant = tenant
            let limit = min(start + Self.rowsAtOnce, rows.endIndex)
            let end = rows[start..<limit].firstIndex { $0.tenant != tenant } ?? limit
            try await compareSlice(rows[start..<end])
            start = end
        }
    }

    /// No more rows.
    mutating func finish() async throws {
        try await endTenant()
    }

    /// Rows of one tenant.
    private mutating func compareSlice(_ rows: ArraySlice<StoredObject>) async throws {
        for row in rows {
            keys.insert(row.key.hashValue)
            buckets[row.bucket, default: BucketDigest()].insert(row.digest)
        }
        objects += rows.count
        let (comparison, table) = (comparison, table)
        let commands = rows.flatMap { comparison.commands(for: $0, of: table) }
        let found = try await forEachRegion { region in
            var replies = try await region.ask(commands)[...]
            var found = Suspects()
            found.add(
                rows.filter { comparison.problem(with: $0, of: table, in: &replies) != nil }
                    .map { .object(table: table, tenant: $0.tenant, key: $0.key) })
            return found
        }
        for (index, suspects) in found.enumerated() { self.suspects[index].merge(suspects) }
    }

    /// IDs that no row has, and digests.
    private mutating func endTenant() async throws {
        guard let tenant else { return }
        let (table, type, keys, buckets) = (table, comparison.tables[table].table.type, keys, buckets)
        let found = try await forEachRegion { region in
            var found = Suspects()
            try await region.scan(
                ["SSCAN", ProjectionKeys.objects(tenant: tenant, type: type)], then: ["COUNT", "1000"]
            ) {
                page in
                let strange = page.compactMap(\.string).filter { !keys.contains($0.hashValue) }
                found.add(strange.map { .object(table: table, tenant: tenant, key: $0) })
            }
            let counters = try await region.ask("HGETALL", ProjectionKeys.digests(tenant: tenant, type: type))
            let cached = TenantDigests(tenant: tenant, fields: counters.elements.map { $0.string ?? "" })
            found.add(
                cached.differing(from: buckets).sorted().map { .bucket(table: table, tenant: tenant, bucket: $0) })
            return found
        }
        for (index, suspects) in found.enumerated() { self.suspects[index].merge(suspects) }
        tenants.insert(tenant)
        self.tenant = nil
        self.keys.removeAll(keepingCapacity: true)
        self.buckets.removeAll(keepingCapacity: true)
    }

    /// All regions at once; answers in their order.
    private func forEachRegion(
        _ body: @escaping @Sendable (RegionServer) async throws -> Suspects
    ) async throws -> [Suspects] {
        try await withThrowingTaskGroup(of: (Int, Suspects).self) { group in
            for (index, region) in regions.enumerated() {
                group.addTask { (index, try await body(region)) }
            }
            var answers = regions.map { _ in Suspects() }
            for try await (index, answer) in group { answers[index] = answer }
            return answers
        }
    }
}
