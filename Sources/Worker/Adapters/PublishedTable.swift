package import NIOCore
internal import PGOutput
package import PostgresClient
package import Provisioning
internal import Reconciliation
package import RegionConfig

/// A table of the catalog with the columns and rows that its publication really carries, and the SQL to read them.
package struct PublishedTable: Sendable {
    package enum Failure: Error, Hashable, Sendable {
        /// The publication does not carry a table of the catalog, so nothing of it can be in a cache.
        case notPublished(TableName, publication: String)
        /// PostgreSQL sent a row that cannot be read.
        case unreadableRow(TableName)
    }

    package let table: CatalogTable
    /// Published and not omitted, in the table's order.
    package let columns: [String]
    /// Type of each column by name, as `format_type` prints it without its modifier.
    let types: [String: String]
    /// SQL of the publication's row filter; nil: all rows.
    let rowFilter: String?
    /// Place in `columns` by name.
    package let places: [ByteBuffer: Int]
    /// Place in `columns` of each of the table's indexes; nil for a column that is not published.
    package let indexPlaces: [Int?]

    init(_ table: CatalogTable, columns: [String], types: [String: String], rowFilter: String?) {
        self.table = table
        self.types = types
        self.columns = columns
        self.rowFilter = rowFilter
        places = Dictionary(
            uniqueKeysWithValues: columns.enumerated().map { (ByteBuffer(string: $1), $0) })
        indexPlaces = table.indexes.map { columns.firstIndex(of: $0.field) }
    }

    /// Asks the publication; column lists and row filters, which PostgreSQL has since 15, are authoritative (capture.md).
    package static func read(
        _ catalog: Catalog, publication: String, _ transaction: PostgresTransaction
    ) async throws -> [PublishedTable] {
        let version = try await transaction.query("SELECT current_setting('server_version_num')::int AS version")
        let lists = try version[0].integer("version") >= 150_000
        let rows = try await transaction.query(
            """
            SELECT p.schemaname, p.tablename, a.attname, format_type(a.atttypid, NULL) AS type,
                \(lists ? "p.rowfilter" : "NULL::text") AS rowfilter
            FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = p.schemaname
                JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
                JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE p.pubname = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                \(lists ? "AND a.attname = ANY (p.attnames)" : "")
            ORDER BY p.schemaname, p.tablename, a.attnum
            """, [publication])
        return try catalog.tables.map { table in
            let published = try rows.filter {
                try $0.string("schemaname") == table.table.schema && $0.string("tablename") == table.table.name
            }
            guard let first = published.first else {
                throw Failure.notPublished(table.table, publication: publication)
            }
            return PublishedTable(
                table, columns: try published.map { try $0.string("attname") }.filter { !table.omit.contains($0) },
                types: Dictionary(
                    try published.map { (try $0.string("attname"), try $0.string("type")) },
                    uniquingKeysWith: { first, _ in first }), rowFilter: try first.optionalString("rowfilter"))
        }
    }

    // MARK: SQL

    /// Leading columns of every row that is read: tenant, key, bucket, digest.
    private static let headCount = 4

    private var tenantSQL: String { ObjectKey.sql([table.tenant]) }
    private var keySQL: String { ObjectKey.sql(table.key) }

    var selection: String {
        let head = [tenantSQL, keySQL, Bucket.sql(key: table.key), ObjectDigest.sql(key: table.key, columns: columns)]
        return "SELECT \((head + columns.map(SQL.identifier)).joined(separator: ", ")) FROM \(table.quotedTable)"
    }

    func condition(_ more: String? = nil) -> String {
        let parts = [rowFilter.map { "(\($0))" }, more].compactMap(\.self)
        return parts.isEmpty ? "" : " WHERE " + parts.joined(separator: " AND ")
    }

    /// All rows, tenant by tenant.
    package var copySQL: String {
        "COPY (\(selection)\(condition()) ORDER BY \(SQL.identifier(table.tenant))) TO STDOUT"
    }

    /// The rows of these objects: `$1` tenants, `$2` keys. Compared as text, since keys in a cache may be anything.
    var rowsSQL: String {
        selection + condition("(\(tenantSQL), \(keySQL)) IN (SELECT * FROM unnest($1::text[], $2::text[]))")
    }

    /// Count and digest of these buckets: `$1` tenants, `$2` buckets.
    package var bucketsSQL: String {
        """
        SELECT tenant, bucket, count(*) AS count, (sum(digest) % \(1 << 48))::bigint AS digest
        FROM (
            SELECT \(tenantSQL) AS tenant, \(Bucket.sql(key: table.key)) AS bucket,
                \(ObjectDigest.sql(key: table.key, columns: columns)) AS digest
            FROM \(table.quotedTable)\(condition())
        ) AS object
        WHERE (tenant, bucket) IN (SELECT * FROM unnest($1::text[], $2::bigint[]))
        GROUP BY tenant, bucket
        """
    }

    /// Count and digest of all buckets, tenant by tenant.
    ///
    /// `OFFSET 0` keeps the planner from looking into the subquery: it takes every row for a bucket of its own there, and
    /// would sort all rows on disk.
    var digestsSQL: String {
        """
        COPY (
            SELECT tenant, bucket, count(*), (sum(digest) % \(1 << 48))::bigint
            FROM (
                SELECT \(tenantSQL) AS tenant, \(Bucket.sql(key: table.key)) AS bucket,
                    \(ObjectDigest.sql(key: table.key, columns: columns)) AS digest
                FROM \(table.quotedTable)\(condition()) OFFSET 0
            ) AS object
            GROUP BY tenant, bucket ORDER BY tenant
        ) TO STDOUT
        """
    }

    /// The rows of these buckets, tenant by tenant; where they are too many to be named, all rows of their tenants, or of
    /// all tenants.
    func copySQL(in buckets: BucketSelection) -> String {
        let tenants = buckets.tenants.keys.sorted()
        var pairs: [String]? = []
        for (tenant, extent) in buckets.tenants.sorted(by: { $0.key < $1.key }) {
            guard case .these(let these) = extent, (pairs?.count ?? 0) + these.count <= Self.namedLimit else {
                pairs = nil
                break
            }
            pairs?.append(contentsOf: these.keys.sorted().map { "(\(SQL.literal(tenant)), \($0))" })
        }
        var selected: String?
        if let pairs {
            selected = "(\(tenantSQL), \(Bucket.sql(key: table.key))) IN (VALUES \(pairs.joined(separator: ", ")))"
        } else if tenants.count <= Self.namedLimit {
            selected = "\(tenantSQL) IN (\(tenants.map(SQL.literal).joined(separator: ", ")))"
        }
        return "COPY (\(selection)\(condition(selected)) ORDER BY \(SQL.identifier(table.tenant))) TO STDOUT"
    }

    /// Buckets, or tenants, that a statement names at most.
    private static let namedLimit = 5_000

    // MARK: Rows

    /// The objects in a part of what `copySQL` gave.
    package func rows(in batch: CopyBatch) throws(Failure) -> [StoredObject] {
        var bytes = batch.bytes
        var decoder = CopyTextDecoder()
        var columns: [[TupleColumn]] = []
        columns.reserveCapacity(batch.messages.count)
        do throws(PGOutputError) {
            for message in batch.messages {
                try decoder.decode(&bytes, at: message)
                columns.append(decoder.columns)
            }
        } catch {
            throw .unreadableRow(table.table)
        }
        let buffer = ByteBuffer(bytes: bytes)
        var rows: [StoredObject] = []
        rows.reserveCapacity(columns.count)
        for row in columns {
            let values = row.map { column -> ByteBuffer? in
                guard case .text(let range) = column else { return nil }
                return buffer.getSlice(at: range.lowerBound, length: range.count)
            }
            guard let object = object(values) else { throw .unreadableRow(table.table) }
            rows.append(object)
        }
        return rows
    }

    /// The objects in what `rowsSQL` gave.
    package func rows(in answer: PostgresRows) throws(Failure) -> [StoredObject] {
        var rows: [StoredObject] = []
        for row in answer {
            let values = answer.columns.indices.map { row[$0].map { ByteBuffer(string: $0) } }
            guard let object = object(values) else { throw .unreadableRow(table.table) }
            rows.append(object)
        }
        return rows
    }

    private func object(_ values: [ByteBuffer?]) -> StoredObject? {
        guard values.count == Self.headCount + columns.count, let tenant = values[0], let key = values[1],
            let bucket = values[2].flatMap({ Int(String(buffer: $0)) }),
            let digest = values[3].flatMap({ UInt64(String(buffer: $0)) })
        else { return nil }
        return StoredObject(
            tenant: String(buffer: tenant), key: String(buffer: key), bucket: bucket,
            digest: ObjectDigest(value: digest), values: Array(values[Self.headCount...]))
    }
}

/// An object as PostgreSQL has it.
package struct StoredObject: Hashable, Sendable {
    package let tenant: String
    package let key: String
    package let bucket: Int
    package let digest: ObjectDigest
    /// Text of each of the table's published columns; nil is NULL.
    package let values: [ByteBuffer?]
}
