package import Provisioning

/// PostgreSQL as a comparison reads it, by the table's place in the catalog. What is compared with one cache should be
/// read from one snapshot, or what moves meanwhile differs.
package protocol DigestSource: Sendable {
    /// Hands out the digests of a table's objects, each tenant once.
    func digests(of table: Int, _ body: (TenantDigests) async throws -> Void) async throws
    /// Hands out the table's objects in these buckets, those of a tenant one behind the other. Others may be among them.
    func objects(of table: Int, in buckets: BucketSelection, _ body: (DigestedRows) async throws -> Void) async throws
}

/// Count and digest of a tenant's objects of one type, by bucket; empty buckets are absent.
package struct TenantDigests: Hashable, Sendable {
    package let tenant: String
    package var buckets: [Int: BucketDigest]

    package init(tenant: String, buckets: [Int: BucketDigest] = [:]) {
        self.tenant = tenant
        self.buckets = buckets
    }

    /// Reads what a cache counts: the fields `<bucket>:n` and `<bucket>:d` and their values by turns.
    package init(tenant: String, fields: [String]) {
        var counts: [Int: (count: String?, sum: String?)] = [:]
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            let name = fields[index].split(separator: ":")
            guard name.count == 2, let bucket = Int(name[0]) else { continue }
            if name[1] == "n" { counts[bucket, default: (nil, nil)].count = fields[index + 1] }
            if name[1] == "d" { counts[bucket, default: (nil, nil)].sum = fields[index + 1] }
        }
        let buckets = counts.mapValues { BucketDigest(count: $0.count, sum: $0.sum) }
        self.init(tenant: tenant, buckets: buckets.filter { $0.value != BucketDigest() })
    }

    /// The buckets that are not as in `expected`; one that is not there is empty.
    package func differing(from expected: [Int: BucketDigest]) -> Set<Int> {
        Set(buckets.keys).union(expected.keys).filter {
            buckets[$0, default: BucketDigest()] != expected[$0, default: BucketDigest()]
        }
    }
}

extension BucketDigest {
    /// A bucket's counters as a cache holds them, nil where they are not there. What is no number is as no bucket of objects
    /// is. Sums are kept as they came to be: only readers take them modulo 2^48.
    package init(count: String?, sum: String?) {
        self.init(
            count: count.map { Int($0) ?? -1 } ?? 0,
            sum: sum.map { Int64($0).map { UInt64(bitPattern: $0) } ?? .max } ?? 0)
    }
}

/// Objects of one table as PostgreSQL has them: their names and digests, and the text of their columns.
package struct DigestedRows: Sendable {
    package struct Object: Hashable, Sendable {
        package let tenant: String
        package let key: String
        package let bucket: Int
        package let digest: ObjectDigest
        /// Where the columns stand in `bytes`, as COPY … TO STDOUT prints them, the newline included.
        package let row: Range<Int>

        package init(tenant: String, key: String, bucket: Int, digest: ObjectDigest, row: Range<Int>) {
            self.tenant = tenant
            self.key = key
            self.bucket = bucket
            self.digest = digest
            self.row = row
        }
    }

    package let columns: [String]
    package let bytes: [UInt8]
    package var objects: [Object]

    package init(columns: [String], bytes: [UInt8], objects: [Object]) {
        self.columns = columns
        self.bytes = bytes
        self.objects = objects
    }
}

/// Buckets of one type, by tenant.
package struct BucketSelection: Hashable, Sendable {
    package enum Extent: Hashable, Sendable {
        case all
        /// These, with what the cache says that they hold.
        case these([Int: BucketDigest])

        package func contains(_ bucket: Int) -> Bool {
            switch self {
            case .all: true
            case .these(let buckets): buckets[bucket] != nil
            }
        }
    }

    package private(set) var tenants: [String: Extent] = [:]

    package init() {}

    package var isEmpty: Bool { tenants.isEmpty }

    package subscript(tenant: String) -> Extent? { tenants[tenant] }

    /// The buckets in which the two differ: the cache's counters and PostgreSQL's. Counters that are not there say nothing of
    /// objects that are.
    mutating func add(
        _ cached: TenantDigests, hasObjects: Bool, differingFrom stored: [Int: BucketDigest]
    ) {
        guard !cached.buckets.isEmpty else {
            if hasObjects || !stored.isEmpty { tenants[cached.tenant] = .all }
            return
        }
        let differing = cached.differing(from: stored)
        guard !differing.isEmpty else { return }
        tenants[cached.tenant] = .these(
            Dictionary(uniqueKeysWithValues: differing.map { ($0, cached.buckets[$0, default: BucketDigest()]) }))
    }
}
