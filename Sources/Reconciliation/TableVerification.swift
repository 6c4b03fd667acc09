internal import Journal
internal import Provisioning

/// Verifies one table of the catalog against one cache: by digests, then the objects that differ, each of them proven.
package struct TableVerification {
    /// What was found.
    package struct Result: Sendable {
        /// Objects that PostgreSQL has.
        package fileprivate(set) var objects = 0
        /// Objects that differed for good and were put right, with buckets that were counted anew.
        package fileprivate(set) var mended = 0
        /// Objects that differ for good.
        package fileprivate(set) var drifted = 0
        /// Objects that could not be judged in time.
        package fileprivate(set) var unsettled = 0
        /// Why, where there is more to it than traffic.
        package fileprivate(set) var trouble: String?

        /// Whether the cache is known to hold what PostgreSQL has.
        package var isEqual: Bool { drifted == 0 && unsettled == 0 }
    }

    private let table: Int
    private let type: String
    private let source: any RepairSource
    private let cache: CachedObjects
    private let repairer: Repairer
    private let objectsPerSecond: Int
    private var candidates: [RepairRound.Candidate] = []
    private var result = Result()
    /// By tenant, the buckets with objects that looked different, and those with objects that were put right.
    private var explained: [String: Set<Int>] = [:]
    private var mended: [String: Set<Int>] = [:]

    /// Looks at no more than so many differing objects a second.
    package init(
        table: Int, type: String, source: any RepairSource, cache: CachedObjects, repairer: Repairer,
        objectsPerSecond: Int = .max
    ) {
        self.table = table
        self.type = type
        self.source = source
        self.cache = cache
        self.repairer = repairer
        self.objectsPerSecond = objectsPerSecond
    }

    package mutating func run() async throws -> Result {
        let (source, cache, table, type) = (source, cache, table, type)
        let summary = try await source.compare(table, with: cache) { difference in
            switch difference {
            case .rows(let rows):
                candidates += rows.objects.map {
                    RepairRound.Candidate(.init(tenant: $0.tenant, type: type, key: $0.key))
                }
            case .extra(let names): candidates += names.map { RepairRound.Candidate($0) }
            }
            while candidates.count >= Repairer.batch { try await settle() }
        }
        while !candidates.isEmpty { try await settle() }
        result.objects = summary.objects
        try await recount(summary.buckets)
        return result
    }

    private mutating func settle() async throws {
        let some = Array(candidates.prefix(Repairer.batch))
        candidates.removeFirst(some.count)
        let outcomes = try await repairer.settle(some)
        for (name, outcome) in outcomes.byName {
            let bucket = Bucket.index(ofKey: name.key.utf8)
            explained[name.tenant, default: []].insert(bucket)
            switch outcome {
            case .equal: break
            case .mended:
                result.mended += 1
                mended[name.tenant, default: []].insert(bucket)
            case .drifted: result.drifted += 1
            case .unsettled: result.unsettled += 1
            }
        }
        result.trouble = outcomes.trouble ?? result.trouble
        if objectsPerSecond < .max {
            try await Task.sleep(for: .seconds(1) * some.count / max(1, objectsPerSecond))
        }
    }

    /// Counts anew the buckets whose difference no object explains, and those of objects that were put right: what their
    /// counters said of these may have been wrong, too.
    private mutating func recount(_ differing: BucketSelection) async throws {
        var buckets = mended
        for (tenant, extent) in differing.tenants {
            guard case .these(let counters) = extent else { continue }
            let unexplained = Set(counters.keys).subtracting(explained[tenant, default: []])
            buckets[tenant, default: []].formUnion(unexplained)
        }
        for (tenant, some) in buckets {
            let wrong = try await repairer.recount(some, tenant: tenant, type: type)
            result.mended += wrong.subtracting(mended[tenant, default: []]).count
        }
    }
}
