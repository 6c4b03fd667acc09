internal import CrashPoints
internal import Journal
internal import Projection
internal import Provisioning
package import RegionConfig

/// Verifies one table of the catalog against one cache: by digests, then the objects that differ, each of them proven.
/// Where keys of the table's type held something else all that the cache has of it is written anew first.
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
        /// Objects of tenants whose keys held something else, and were replaced: they were written anew.
        package fileprivate(set) var rebuilt = 0
        /// A sentence for each key that was found to hold something else, and was replaced.
        package fileprivate(set) var replaced: [String] = []

        /// Whether the cache is known to hold what PostgreSQL has.
        package var isEqual: Bool { drifted == 0 && unsettled == 0 }
    }

    private let index: Int
    private let table: CatalogTable
    private var type: String { table.type }
    private let source: any RepairSource
    private let cache: CachedObjects
    private let repairer: Repairer
    private let objectsPerSecond: Int
    private var candidates: [RepairRound.Candidate] = []
    private var result = Result()
    /// Whether objects in the cache are others than before, or may be where `run` threw.
    package private(set) var mayHaveWritten = false
    /// By tenant, the buckets with objects that looked different, and those with objects that were put right.
    private var explained: [String: Set<Int>] = [:]
    private var mended: [String: Set<Int>] = [:]

    /// Of the catalog's table at this place. Looks at no more than so many differing objects a second.
    package init(
        _ index: Int, of catalog: Catalog, source: any RepairSource, cache: CachedObjects, repairer: Repairer,
        objectsPerSecond: Int = .max
    ) {
        self.index = index
        table = catalog.tables[index]
        self.source = source
        self.cache = cache
        self.repairer = repairer
        self.objectsPerSecond = objectsPerSecond
    }

    package mutating func run() async throws -> Result {
        try await rebuild()
        let (source, cache, index, type) = (source, cache, index, type)
        let summary = try await source.compare(index, with: cache) { difference in
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
        // An object that was put right may have been found to be no object at all.
        if result.mended > 0 { try await rebuild() }
        return result
    }

    /// Writes anew what the cache has of tenants of whose keys some held something else.
    package mutating func rebuild() async throws {
        let tenants = try await cache.tenants().sorted()
        for start in stride(from: 0, to: tenants.count, by: CachedObjects.batch) {
            let some = Array(tenants[start..<min(start + CachedObjects.batch, tenants.count)])
            let marks = try await rebuildMarks(some)
            for (tenant, mark) in zip(some, marks) {
                guard let mark else { continue }
                if repairer.mends {
                    try await rebuild(tenant, mark)
                } else {
                    result.unsettled += 1
                    result.trouble = "keys of the cache held something else, and what was there is missing"
                }
            }
        }
    }

    private mutating func rebuild(_ tenant: String, _ mark: String) async throws {
        var mark = mark
        // Once more where it was found on the way that other keys held something else as well.
        for _ in 0..<3 {
            var rebuild = CacheRebuild(
                tenant: tenant, table: table, cache: cache, repairer: repairer, objectsPerSecond: objectsPerSecond)
            mayHaveWritten = true
            let rebuilt = try await rebuild.run(mark: mark)
            result.rebuilt += rebuilt.written
            result.drifted += rebuilt.drifted
            result.unsettled += rebuilt.unsettled
            result.trouble = rebuilt.trouble ?? result.trouble
            guard rebuilt.isOutdated, let next = try await rebuildMarks([tenant]).first ?? nil else { return }
            mark = next
        }
        result.unsettled += 1
        result.trouble = "keys of the cache hold something else again and again"
    }

    /// The marks of tenants whose objects are to be written anew; nil for the others.
    private mutating func rebuildMarks(_ tenants: [String]) async throws -> [String?] {
        guard repairer.mends else {
            return await cache.store.run(tenants.map { RepairCalls.rebuildMark(tenant: $0, type: type) })
                .map { try? $0.get().text }
        }
        let answers = try await cache.store.answers(
            tenants.map { RepairCalls.inspect(tenant: $0, type: type, layouts: repairer.layouts) })
        if answers.contains(where: { $0.elements.count > 1 }) { CrashPoint.repairReplaced.pass() }
        return answers.map { answer in
            result.replaced += answer.elements.dropFirst().compactMap(\.text)
            return answer.elements.first?.text
        }
    }

    private mutating func settle() async throws {
        let some = Array(candidates.prefix(Repairer.batch))
        candidates.removeFirst(some.count)
        let hadWritten = mayHaveWritten
        mayHaveWritten = hadWritten || repairer.mends
        let outcomes = try await repairer.settle(some)
        mayHaveWritten = hadWritten || outcomes.byName.values.contains(.mended)
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
            guard case .these(let counters) = extent else {
                buckets[tenant, default: []].formUnion(0..<Bucket.count)
                continue
            }
            let unexplained = Set(counters.keys).subtracting(explained[tenant, default: []])
            buckets[tenant, default: []].formUnion(unexplained)
        }
        for (tenant, some) in buckets {
            let wrong = try await repairer.recount(some, tenant: tenant, type: type)
            result.mended += wrong.subtracting(mended[tenant, default: []]).count
        }
    }
}
