internal import CrashPoints
internal import Journal
internal import NIOCore
internal import Projection
internal import Provisioning
internal import RESP
internal import RegionConfig

/// Writes all of one tenant's objects of a type anew, with the set of their IDs, indexes and counters: for a cache in which
/// such keys held something else and were replaced, so that what the objects' digests say proves nothing about them.
struct CacheRebuild {
    private let tenant: String
    private let table: CatalogTable
    private let cache: CachedObjects
    private let repairer: Repairer
    private let objectsPerSecond: Int
    /// Buckets of which something is there.
    private var buckets: Set<Int> = []

    init(tenant: String, table: CatalogTable, cache: CachedObjects, repairer: Repairer, objectsPerSecond: Int) {
        self.tenant = tenant
        self.table = table
        self.cache = cache
        self.repairer = repairer
        self.objectsPerSecond = objectsPerSecond
    }

    /// What became of the objects that the cache has. Those that it lacks are found by comparing, once this is done.
    struct Result {
        var written = 0
        var drifted = 0
        var unsettled = 0
        var trouble: String?
        /// Keys were replaced since the mark was read.
        var isOutdated = false
    }

    private var prefix: String { ProjectionKeys.object(tenant: tenant, type: table.type, id: "") }

    /// Rebuilds, and takes the mark away if all is right now and nothing was replaced since it was read.
    mutating func run(mark: String) async throws -> Result {
        var result = Result()
        let (cache, prefix) = (cache, prefix)
        buckets = Set(try await cache.digests(tenant: tenant, type: table.type).buckets.keys)
        try await cache.forEachStoredKey(beginningWith: prefix) { keys in
            let ids = keys.map { String($0.dropFirst(prefix.count)) }.filter { !$0.hasPrefix("by:") }
            try await write(ids, &result)
        }
        try await cache.forEachStoredKey(beginningWith: prefix + "by:") { keys in
            for key in keys { try await sweep(key) }
        }
        _ = try await repairer.recount(buckets, tenant: tenant, type: table.type)
        guard result.drifted == 0, result.unsettled == 0 else { return result }
        let answer = try await cache.ask(RepairCalls.rebuilt(tenant: tenant, type: table.type, mark: mark))
        CrashPoint.repairRebuilt.pass()
        result.isOutdated = answer != .integer(1)
        return result
    }

    private mutating func write(_ ids: [String], _ result: inout Result) async throws {
        for start in stride(from: 0, to: ids.count, by: Repairer.batch) {
            let some = ids[start..<min(start + Repairer.batch, ids.count)]
            for id in some { buckets.insert(Bucket.index(ofKey: id.utf8)) }
            let outcomes = try await repairer.settle(
                some.map { RepairRound.Candidate(.init(tenant: tenant, type: table.type, key: $0), isForced: true) })
            for outcome in outcomes.byName.values {
                switch outcome {
                case .equal, .mended: result.written += 1
                case .drifted: result.drifted += 1
                case .unsettled: result.unsettled += 1
                }
            }
            result.trouble = outcomes.trouble ?? result.trouble
            if objectsPerSecond < .max {
                try await Task.sleep(for: .seconds(1) * some.count / max(1, objectsPerSecond))
            }
        }
    }

    // MARK: Indexes

    /// Removes the entries of one index key that name objects without the value.
    private func sweep(_ key: String) async throws {
        for index in table.indexes {
            let head = ProjectionKeys.index(tenant: tenant, type: table.type, field: index.field)
            guard index.unique ? key == head : key.hasPrefix(head + ":") else { continue }
            _ = try await cache.ask(RepairCalls.reclaim(key, isUnique: index.unique))
            if index.unique {
                try await cache.scan(["HSCAN", key]) { words in
                    try await sweep(
                        stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }, of: index)
                }
            } else {
                let value = StoreReply.string(ByteBuffer(string: String(key.dropFirst(head.count + 1))))
                try await cache.scan(["SSCAN", key]) { ids in
                    try await sweep(ids.map { (value, $0) }, of: index)
                }
            }
        }
    }

    private func sweep(_ entries: [(value: StoreReply, id: StoreReply)], of index: CatalogIndex) async throws {
        let ids = entries.map { $0.id.text ?? "" }
        let held = await cache.store.run(ids.map { RedisCommand("HGET", prefix + $0, index.field) })
        var commands: [RedisCommand] = []
        for (place, result) in held.enumerated() {
            switch result {
            case .success(entries[place].value): continue
            case .failure(let failure) where !failure.isWrongType: throw failure
            case .success, .failure: break
            }
            guard case .string(let value) = entries[place].value else { continue }
            commands.append(
                RepairCalls.unindex(
                    value: value, key: ids[place], field: index.field, isUnique: index.unique, tenant: tenant,
                    type: table.type))
        }
        _ = try await cache.store.answers(commands)
    }
}
