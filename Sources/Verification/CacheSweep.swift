internal import Journal
internal import NIOCore
internal import Projection
internal import RedisClient
internal import RegionConfig
internal import RESP
internal import Reconciliation
internal import Worker

/// A walk over all keys of a region's cache: what is there and names nothing that PostgreSQL has, and what the projection
/// left undone.
struct CacheSweep {
    private let comparison: ObjectComparison
    /// By table: tenants that have rows; their sets of IDs were compared with the rows.
    private let tenants: [Set<String>]
    private let region: RegionServer
    private(set) var suspects = Suspects()
    /// Keys seen, for the progress.
    private(set) var keys = 0

    init(_ comparison: ObjectComparison, tenants: [Set<String>], region: RegionServer) {
        self.comparison = comparison
        self.tenants = tenants
        self.region = region
    }

    /// Walks.
    mutating func run() async throws {
        let region = region
        try await region.scan(["SCAN"], then: ["MATCH", "cfg:*", "COUNT", "1000"]) { page in
            try await check(page.compactMap(\.string))
        }
        try await region.scan(["SCAN"], then: ["MATCH", "rs:*", "COUNT", "1000"]) { page in
            try await check(state: page.compactMap(\.string))
        }
    }

    private mutating func check(_ keys: [String]) async throws {
        let region = region
        self.keys += keys.count
        var objects: [(table: Int, tenant: String, id: String)] = []
        for key in keys {
            switch CacheKey(key, tables: comparison.tables) {
            case .foreign:
                suspects.add([.foreignKey(key)])
            case .object(let table, let tenant, let id):
                objects.append((table, tenant, id))
            case .ids(let table, let tenant):
                guard !tenants[table].contains(tenant) else { continue }
                try await region.scan(["SSCAN", key], then: ["COUNT", "1000"]) { page in
                    suspects.add(page.compactMap(\.string).map { .object(table: table, tenant: tenant, key: $0) })
                }
            case .uniqueIndex(let table, let tenant, let index):
                try await region.scan(["HSCAN", key], then: ["COUNT", "500"]) { page in
                    let pairs = stride(from: 0, to: page.count - 1, by: 2).compactMap { place in
                        page[place].bytes.map { ($0, page[place + 1].string ?? "") }
                    }
                    try await check(entries: pairs, table: table, tenant: tenant, index: index)
                }
            case .indexSet(let table, let tenant, let index, let value):
                let value = ByteBuffer(string: value)
                try await region.scan(["SSCAN", key], then: ["COUNT", "1000"]) { page in
                    let pairs = page.compactMap(\.string).map { (value, $0) }
                    try await check(entries: pairs, table: table, tenant: tenant, index: index)
                }
            }
        }
        try await check(objects)
    }

    /// Hashes whose ID is not in the set of their type; those that are were compared with the rows.
    private mutating func check(_ objects: [(table: Int, tenant: String, id: String)]) async throws {
        let replies = try await region.ask(
            objects.map {
                RedisCommand(
                    "SISMEMBER",
                    ProjectionKeys.objects(tenant: $0.tenant, type: comparison.tables[$0.table].table.type), $0.id)
            })
        for (object, reply) in zip(objects, replies) where reply.integer != 1 {
            suspects.add([.object(table: object.table, tenant: object.tenant, key: object.id)])
        }
    }

    /// Entries that name an object whose field has another value, or none.
    private mutating func check(
        entries: [(value: ByteBuffer, id: String)], table: Int, tenant: String, index: Int
    ) async throws {
        let catalog = comparison.tables[table].table
        let replies = try await region.ask(
            entries.map {
                RedisCommand(
                    "HGET", ProjectionKeys.object(tenant: tenant, type: catalog.type, id: $0.id),
                    catalog.indexes[index].field)
            })
        for (entry, reply) in zip(entries, replies) where reply.bytes != entry.value {
            suspects.add([.indexEntry(table: table, tenant: tenant, index: index, value: entry.value, id: entry.id)])
        }
    }

    // MARK: What the projection keeps beside the objects

    private mutating func check(state keys: [String]) async throws {
        let region = region
        var cursors: [(key: String, tenant: String)] = []
        var digests: [(key: String, table: Int, tenant: String)] = []
        for key in keys {
            switch ProjectionStateKey(key) {
            case .cursors(let tenant): cursors.append((key, tenant))
            case .digests(let tenant, let type):
                guard let table = comparison.tables.firstIndex(where: { $0.table.type == type }) else {
                    suspects.add([.foreignKey(key)])
                    continue
                }
                // The others' were compared with the rows.
                if !tenants[table].contains(tenant) { digests.append((key, table, tenant)) }
            case .quarantine(let tenant):
                try await region.scan(["SSCAN", key], then: ["COUNT", "1000"]) { page in
                    suspects.add(page.compactMap(\.string).map { .quarantined(tenant: tenant, name: $0) })
                }
            case nil: continue
            }
        }
        let marks = try await region.ask(cursors.map { RedisCommand("HEXISTS", $0.key, "applying") })
        suspects.add(zip(cursors, marks).filter { $1.integer == 1 }.map { .halfApplied(tenant: $0.0.tenant) })
        let counters = try await region.ask(digests.map { RedisCommand("HGETALL", $0.key) })
        for (digest, reply) in zip(digests, counters) {
            let cached = TenantDigests(tenant: digest.tenant, fields: reply.elements.map { $0.string ?? "" })
            suspects.add(
                cached.buckets.keys.sorted().map { .bucket(table: digest.table, tenant: digest.tenant, bucket: $0) })
        }
    }
}

/// A key of what the projection keeps of a tenant beside the objects (`ProjectionKeys`).
private enum ProjectionStateKey {
    case digests(tenant: String, type: String)
    case cursors(tenant: String)
    case quarantine(tenant: String)

    /// Nil for any other key.
    init?(_ key: String) {
        guard key.hasPrefix("rs:{"), let close = key.firstIndex(of: "}") else { return nil }
        let tenant = String(key[key.index(key.startIndex, offsetBy: 4)..<close])
        let name = key[key.index(after: close)...]
        if name == ":projection" {
            self = .cursors(tenant: tenant)
        } else if name == ":quarantine" {
            self = .quarantine(tenant: tenant)
        } else if name.hasPrefix(":digest:") {
            self = .digests(tenant: tenant, type: String(name.dropFirst(":digest:".count)))
        } else {
            return nil
        }
    }
}
