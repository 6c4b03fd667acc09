package import Journal
internal import Provisioning

/// Finds the objects of one table in which a cache differs from PostgreSQL: by the digests of whole buckets first, then,
/// in the buckets that differ, object by object. What it costs PostgreSQL is a scan of the table, and one more where
/// something differs; what it costs the cache follows what differs.
///
/// It finds what was changed and not projected. An object that somebody changed in the cache by hand shows only where its
/// digest was changed as well.
package struct TableComparison {
    package enum Difference: Sendable {
        /// Objects that the cache lacks or has otherwise.
        case rows(DigestedRows)
        /// Objects that PostgreSQL does not have.
        case extra([ProvisioningEntry.ObjectName])
    }

    /// What was compared.
    package struct Summary: Sendable {
        /// Objects in PostgreSQL.
        package fileprivate(set) var objects = 0
        /// What differed at first.
        package fileprivate(set) var buckets = BucketSelection()
    }

    private let table: Int
    private let type: String
    private let source: any DigestSource
    private let cache: CachedObjects
    private var summary = Summary()
    /// The tenant whose rows come, what its keys hash to, and what the cache has of them.
    private var tenant: String?
    private var keys: Set<Int> = []
    private var held: [Int: BucketDigest] = [:]

    package init(table: Int, type: String, source: any DigestSource, cache: CachedObjects) {
        self.table = table
        self.type = type
        self.source = source
        self.cache = cache
    }

    /// Compares, and hands out what differs.
    package mutating func run(_ found: (Difference) async throws -> Void) async throws -> Summary {
        let (source, cache, table, type) = (source, cache, table, type)
        var unseen = try await cache.tenants()
        try await source.digests(of: table) { stored in
            unseen.remove(stored.tenant)
            summary.objects += stored.buckets.values.reduce(0) { $0 + $1.count }
            summary.buckets.add(
                try await cache.digests(tenant: stored.tenant, type: type), hasObjects: true,
                differingFrom: stored.buckets)
        }
        for tenant in unseen.sorted() {
            let cached = try await cache.digests(tenant: tenant, type: type)
            let hasObjects = cached.buckets.isEmpty ? try await cache.hasObjects(tenant: tenant, type: type) : true
            summary.buckets.add(cached, hasObjects: hasObjects, differingFrom: [:])
        }
        guard !summary.buckets.isEmpty else { return summary }
        var rowless = Set(summary.buckets.tenants.keys)
        try await source.objects(of: table, in: summary.buckets) { rows in
            for slice in rows.objects.chunked(by: { $0.tenant == $1.tenant }) {
                guard let tenant = slice.first?.tenant else { continue }
                if self.tenant != tenant { try await endTenant(found) }
                self.tenant = tenant
                rowless.remove(tenant)
                try await compare(slice, of: rows, found)
            }
        }
        try await endTenant(found)
        for tenant in rowless.sorted() {
            self.tenant = tenant
            try await endTenant(found)
        }
        return summary
    }

    /// Looks up the cached objects of rows of one tenant.
    private mutating func compare(
        _ slice: ArraySlice<DigestedRows.Object>, of rows: DigestedRows, _ found: (Difference) async throws -> Void
    ) async throws {
        guard let tenant, let extent = summary.buckets[tenant] else { return }
        let objects = slice.filter { extent.contains($0.bucket) }
        let cached = try await cache.digests(of: objects.map(\.key), tenant: tenant, type: type)
        var differing: [DigestedRows.Object] = []
        for (object, digest) in zip(objects, cached) {
            keys.insert(object.key.hashValue)
            if let digest { held[object.bucket, default: BucketDigest()].insert(digest) }
            if digest != object.digest { differing.append(object) }
        }
        guard !differing.isEmpty else { return }
        try await found(.rows(DigestedRows(columns: rows.columns, bytes: rows.bytes, objects: differing)))
    }

    /// Looks for objects that no row has: only where what the rows have does not make up what the cache says it holds.
    private mutating func endTenant(_ found: (Difference) async throws -> Void) async throws {
        guard let tenant else { return }
        let odd: Set<Int> =
            switch summary.buckets[tenant] {
            case .these(let counters):
                Set(counters.filter { held[$0.key, default: BucketDigest()] != $0.value }.keys)
            case .all: Set(0..<Bucket.count)
            case nil: []
            }
        if !odd.isEmpty {
            let names = try await extra(tenant, in: odd)
            if !names.isEmpty { try await found(.extra(names)) }
        }
        self.tenant = nil
        keys.removeAll(keepingCapacity: true)
        held.removeAll(keepingCapacity: true)
    }

    private func extra(_ tenant: String, in buckets: Set<Int>) async throws -> [ProvisioningEntry.ObjectName] {
        var extra: Set<String> = []
        try await cache.forEachKey(tenant: tenant, type: type) { page in
            for key in page where buckets.contains(Bucket.index(ofKey: key.utf8)) && !keys.contains(key.hashValue) {
                extra.insert(key)
            }
        }
        return extra.sorted().map { ProvisioningEntry.ObjectName(tenant: tenant, type: type, key: $0) }
    }
}

extension Array {
    /// Runs of neighbours that belong together.
    fileprivate func chunked(by belongs: (Element, Element) -> Bool) -> [ArraySlice<Element>] {
        var chunks: [ArraySlice<Element>] = []
        var start = startIndex
        for index in indices.dropFirst() where !belongs(self[index - 1], self[index]) {
            chunks.append(self[start..<index])
            start = index
        }
        if start < endIndex { chunks.append(self[start..<endIndex]) }
        return chunks
    }
}
