internal import NIOCore
internal import PGOutput
internal import PostgresClient
internal import Provisioning
internal import RegionConfig

/// A table of the catalog with the columns and rows that its publication really carries, and the SQL to read them.
struct PublishedTable: Sendable {
    let table: CatalogTable
    /// Published and not omitted, in the table's order.
    let columns: [String]
    /// SQL of the publication's row filter; nil: all rows.
    let rowFilter: String?
    /// Place in `columns` by name.
    let places: [ByteBuffer: Int]
    /// Place in `columns` of each of the table's indexes; nil for a column that is not published.
    let indexPlaces: [Int?]

    init(_ table: CatalogTable, columns: [String], rowFilter: String?) {
        self.table = table
        self.columns = columns
        self.rowFilter = rowFilter
        places = Dictionary(
            uniqueKeysWithValues: columns.enumerated().map { (ByteBuffer(string: $1), $0) })
        indexPlaces = table.indexes.map { columns.firstIndex(of: $0.field) }
    }

    /// Asks the publication; column lists and row filters are authoritative (capture.md).
    static func read(
        _ catalog: Catalog, publication: String, _ transaction: PostgresTransaction
    ) async throws -> [PublishedTable] {
        let rows = try await transaction.query(
            """
            SELECT schemaname, tablename, attname, rowfilter
            FROM pg_publication_tables, unnest(attnames) WITH ORDINALITY AS attribute (attname, place)
            WHERE pubname = $1 ORDER BY schemaname, tablename, place
            """, [publication])
        return try catalog.tables.map { table in
            let published = try rows.filter {
                try $0.string("schemaname") == table.table.schema && $0.string("tablename") == table.table.name
            }
            guard let first = published.first else {
                throw VerificationError.notPublished(table: "\(table.table)", publication: publication)
            }
            return PublishedTable(
                table, columns: try published.map { try $0.string("attname") }.filter { !table.omit.contains($0) },
                rowFilter: try first.optionalString("rowfilter"))
        }
    }

    // MARK: SQL

    /// Leading columns of every row that is read: tenant, key, bucket, digest.
    private static let headCount = 4

    private var tenantSQL: String { ObjectKey.sql([table.tenant]) }
    private var keySQL: String { ObjectKey.sql(table.key) }

    private var selection: String {
        let head = [tenantSQL, keySQL, Bucket.sql(key: table.key), ObjectDigest.sql(key: table.key, columns: columns)]
        return "SELECT \((head + columns.map(SQL.identifier)).joined(separator: ", ")) FROM \(table.quotedTable)"
    }

    private func condition(_ more: String? = nil) -> String {
        let parts = [rowFilter.map { "(\($0))" }, more].compactMap(\.self)
        return parts.isEmpty ? "" : " WHERE " + parts.joined(separator: " AND ")
    }

    /// All rows, tenant by tenant.
    var copySQL: String {
        "COPY (\(selection)\(condition()) ORDER BY \(SQL.identifier(table.tenant))) TO STDOUT"
    }

    /// The rows of these objects: `$1` tenants, `$2` keys. Compared as text, since keys in a cache may be anything.
    var rowsSQL: String {
        selection + condition("(\(tenantSQL), \(keySQL)) IN (SELECT * FROM unnest($1::text[], $2::text[]))")
    }

    /// Count and digest of these buckets: `$1` tenants, `$2` buckets.
    var bucketsSQL: String {
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

    // MARK: Rows

    /// The objects in a part of what `copySQL` gave.
    func rows(in batch: CopyBatch) throws(VerificationError) -> [ObjectRow] {
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
            throw .unreadableRow(table: "\(table.table)")
        }
        let buffer = ByteBuffer(bytes: bytes)
        var rows: [ObjectRow] = []
        rows.reserveCapacity(columns.count)
        for row in columns {
            let values = row.map { column -> ByteBuffer? in
                guard case .text(let range) = column else { return nil }
                return buffer.getSlice(at: range.lowerBound, length: range.count)
            }
            guard let object = object(values) else { throw .unreadableRow(table: "\(table.table)") }
            rows.append(object)
        }
        return rows
    }

    /// The objects in what `rowsSQL` gave.
    func rows(in answer: PostgresRows) throws(VerificationError) -> [ObjectRow] {
        var rows: [ObjectRow] = []
        for row in answer {
            let values = answer.columns.indices.map { row[$0].map { ByteBuffer(string: $0) } }
            guard let object = object(values) else { throw .unreadableRow(table: "\(table.table)") }
            rows.append(object)
        }
        return rows
    }

    private func object(_ values: [ByteBuffer?]) -> ObjectRow? {
        guard values.count == Self.headCount + columns.count, let tenant = values[0], let key = values[1],
            let bucket = values[2].flatMap({ Int(String(buffer: $0)) }),
            let digest = values[3].flatMap({ UInt64(String(buffer: $0)) })
        else { return nil }
        return ObjectRow(
            tenant: String(buffer: tenant), key: String(buffer: key), bucket: bucket,
            digest: ObjectDigest(value: digest), values: Array(values[Self.headCount...]))
    }
}

/// An object as PostgreSQL has it.
struct ObjectRow: Hashable, Sendable {
    let tenant: String
    let key: String
    let bucket: Int
    let digest: ObjectDigest
    /// Text of each of the table's published columns; nil is NULL.
    let values: [ByteBuffer?]
}
