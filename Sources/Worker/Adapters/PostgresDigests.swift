internal import NIOCore
internal import PGOutput
internal import PostgresClient
internal import Provisioning
internal import Reconciliation
internal import RegionConfig

/// Tables as one transaction shows them, read for a comparison.
struct PostgresDigests: DigestSource {
    /// PostgreSQL may have to read a large table before it has its first row.
    private static let patience = Duration.seconds(600)

    let tables: [PublishedTable]
    let transaction: PostgresTransaction

    func digests(of table: Int, _ body: (TenantDigests) async throws -> Void) async throws {
        let published = tables[table]
        try await transaction.withCopyOut(published.digestsSQL) { reader in
            var tenant: TenantDigests?
            while let batch = try await reader.next(timeout: Self.patience) {
                for line in try published.digests(in: batch) {
                    if let whole = tenant, whole.tenant != line.tenant {
                        try await body(whole)
                        tenant = nil
                    }
                    var open = tenant ?? TenantDigests(tenant: line.tenant)
                    tenant = nil
                    open.buckets[line.bucket] = line.digest
                    tenant = open
                }
            }
            if let tenant { try await body(tenant) }
        }
    }

    func objects(of table: Int, in buckets: BucketSelection, _ body: (DigestedRows) async throws -> Void) async throws {
        let published = tables[table]
        try await transaction.withCopyOut(published.copySQL(in: buckets)) { reader in
            while let batch = try await reader.next(maxBytes: 256 << 10, timeout: Self.patience) {
                try await body(try published.digestedRows(in: batch))
            }
        }
    }
}

extension PublishedTable {
    /// The lines of a part of what `digestsSQL` gave.
    fileprivate func digests(
        in batch: CopyBatch
    ) throws(Failure) -> [(tenant: String, bucket: Int, digest: BucketDigest)] {
        var bytes = batch.bytes
        var decoder = CopyTextDecoder()
        var lines: [(tenant: String, bucket: Int, digest: BucketDigest)] = []
        lines.reserveCapacity(batch.messages.count)
        for message in batch.messages {
            let texts = try Self.texts(4, &decoder, &bytes, message, table)
            guard let bucket = Int(texts[1]), let count = Int(texts[2]), let sum = UInt64(texts[3]) else {
                throw .unreadableRow(table.table)
            }
            lines.append((texts[0], bucket, BucketDigest(count: count, sum: sum)))
        }
        return lines
    }

    /// The objects in a part of what `copySQL(in:)` gave.
    fileprivate func digestedRows(in batch: CopyBatch) throws(Failure) -> DigestedRows {
        var bytes = batch.bytes
        var decoder = CopyTextDecoder()
        var objects: [DigestedRows.Object] = []
        objects.reserveCapacity(batch.messages.count)
        for message in batch.messages {
            guard let end = Self.endOfHead(batch.bytes, message) else { throw .unreadableRow(table.table) }
            let head = try Self.texts(4, &decoder, &bytes, message.lowerBound..<end - 1, table)
            guard let bucket = Int(head[2]), let digest = UInt64(head[3]) else { throw .unreadableRow(table.table) }
            objects.append(
                DigestedRows.Object(
                    tenant: head[0], key: head[1], bucket: bucket, digest: ObjectDigest(value: digest),
                    row: end..<message.upperBound))
        }
        return DigestedRows(columns: columns, bytes: batch.bytes, objects: objects)
    }

    /// Behind the tab that follows the leading columns.
    private static func endOfHead(_ bytes: [UInt8], _ message: Range<Int>) -> Int? {
        var tabs = 0
        for index in message where bytes[index] == UInt8(ascii: "\t") {
            tabs += 1
            if tabs == 4 { return index + 1 }
        }
        return nil
    }

    /// Columns that are not NULL.
    private static func texts(
        _ count: Int, _ decoder: inout CopyTextDecoder, _ bytes: inout [UInt8], _ range: Range<Int>,
        _ table: CatalogTable
    ) throws(Failure) -> [String] {
        do { try decoder.decode(&bytes, at: range) } catch { throw .unreadableRow(table.table) }
        var texts: [String] = []
        for column in decoder.columns {
            guard case .text(let range) = column else { throw .unreadableRow(table.table) }
            texts.append(String(decoding: bytes[range], as: UTF8.self))
        }
        guard texts.count == count else { throw .unreadableRow(table.table) }
        return texts
    }
}
