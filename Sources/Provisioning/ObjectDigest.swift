package import RegionConfig

/// A 48-bit digest of one object, the same whether PostgreSQL or the worker computes it; a Lua number holds it exactly.
///
/// It is the first 48 bits of the MD5 of the key and of every column that is not NULL, in the order of the names' bytes,
/// each piece led by its length: `1:74:name5:Alice`. NULL and empty therefore differ, no two rows make the same text,
/// and a column that was added and is NULL everywhere changes nothing, as PostgreSQL sends no rows for it.
package struct ObjectDigest: Hashable, Sendable {
    /// Below 2^48.
    package let value: UInt64

    /// A digest as it was stored; higher bits are dropped.
    package init(value: UInt64) {
        self.value = value & (1 << 48 - 1)
    }

    /// SQL for the digest of a row of `columns` (those published) as bigint.
    package static func sql(key: [String], columns: [String]) -> String {
        let keyText = ObjectKey.sql(key)
        let pieces = columns.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { column in
            let text = SQL.text(column)
            let name = SQL.literal("\(column.utf8.count):\(column)")
            // `IS NULL` would also hold for a composite value whose fields are all NULL.
            return "CASE WHEN \(SQL.identifier(column)) IS NOT DISTINCT FROM NULL THEN '' "
                + "ELSE \(name) || octet_length(\(text)) || ':' || \(text) END"
        }
        let text = (["octet_length(\(keyText)) || ':' || \(keyText)"] + pieces).joined(separator: " || ")
        return "('x' || left(md5(\(text)), 12))::bit(48)::bigint"
    }

    /// SQL for count and digest of every bucket of `table`: columns `tenant` (text), `bucket`, `count`, `digest`.
    /// `columns` are those published.
    package static func bucketsSQL(_ table: CatalogTable, columns: [String], buckets: Int = Bucket.count) -> String {
        """
        SELECT tenant, bucket, count(*) AS count, (sum(digest) % \(1 << 48))::bigint AS digest
        FROM (
            SELECT \(SQL.text(table.tenant)) AS tenant, \(Bucket.sql(key: table.key, buckets: buckets)) AS bucket,
                \(sql(key: table.key, columns: columns)) AS digest
            FROM \(table.quotedTable)
        ) AS object
        GROUP BY tenant, bucket
        ORDER BY tenant, bucket
        """
    }
}

/// Which of a fixed number of buckets an object falls into, by its key; differences are searched bucket by bucket.
package enum Bucket {
    /// Buckets of a type and tenant.
    package static let count = 1024

    /// SQL for the bucket of a row.
    package static func sql(key: [String], buckets: Int = Bucket.count) -> String {
        "('x' || left(md5(\(ObjectKey.sql(key))), 8))::bit(32)::bigint % \(buckets)"
    }
}

/// Count and digest of a set of objects, in whatever order they came and went.
package struct BucketDigest: Hashable, Sendable {
    /// Objects.
    package private(set) var count = 0
    /// Sum of their digests modulo 2^48.
    package private(set) var sum: UInt64 = 0

    /// Of no objects.
    package init() {}

    /// As it was stored or computed by PostgreSQL.
    package init(count: Int, sum: UInt64) {
        self.count = count
        self.sum = sum & (1 << 48 - 1)
    }

    /// An object came.
    package mutating func insert(_ digest: ObjectDigest) {
        count += 1
        sum = (sum &+ digest.value) & (1 << 48 - 1)
    }

    /// An object went that had been inserted with this digest.
    package mutating func remove(_ digest: ObjectDigest) {
        count -= 1
        sum = (sum &- digest.value) & (1 << 48 - 1)
    }
}
