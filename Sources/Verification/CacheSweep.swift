internal import Journal
internal import NIOCore
internal import Projection
internal import RedisClient
internal import RegionConfig
internal import RESP

/// One walk over all keys of a region's cache: what is there and names nothing that PostgreSQL has.
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
        try await checkDigests()
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

    /// Counters of tenants that have no rows of a type.
    private mutating func checkDigests() async throws {
        for (table, published) in comparison.tables.enumerated() {
            let type = published.table.type
            let others = tenants.reduce(Set()) { $0.union($1) }.subtracting(tenants[table]).sorted()
            for start in stride(from: 0, to: others.count, by: 500) {
                let some = others[start..<min(start + 500, others.count)]
                let replies = try await region.ask(
                    some.map { RedisCommand("HGETALL", ProjectionKeys.digests(tenant: $0, type: type)) })
                for (tenant, reply) in zip(some, replies) {
                    suspects.add(
                        BucketCounters(reply).differing(from: [:]).map {
                            .bucket(table: table, tenant: tenant, bucket: $0)
                        })
                }
            }
        }
    }
}
