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
        var differing: [Int: BucketDigest] = [:]
        for (bucket, digest) in cached.buckets where digest != stored[bucket, default: BucketDigest()] {
            differing[bucket] = digest
        }
        for (bucket, digest) in stored where cached.buckets[bucket] == nil && digest != BucketDigest() {
            differing[bucket] = BucketDigest()
        }
        if !differing.isEmpty { tenants[cached.tenant] = .these(differing) }
    }
}
