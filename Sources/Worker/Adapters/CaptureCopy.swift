internal import Capture
internal import PGOutput
internal import PostgresClient
internal import Reconciliation
internal import RegionConfig
internal import Synchronization

/// Reads the catalog's tables as an exported snapshot shows them: several readers, each taking the next piece of a table,
/// or, where only what differs from a cache is wanted, the next table.
struct CaptureCopy {
    /// Blocks of 8 KiB that one COPY takes: 32 MiB of table.
    private static let pieceBlocks = 4096

    /// A run of blocks of one table.
    private struct Piece: Sendable {
        let table: Int
        let columns: [String]
        let sql: String
    }

    let region: String
    let catalog: Catalog
    let publication: String
    let slot: String
    let readerCount: Int
    let options: PostgresOptions

    /// Every reader imports the snapshot before the first row is read: from then on nothing depends on its exporter.
    func run(
        snapshot: String, at lsn: LSN, comparesWith cache: CachedObjects?, sink: SnapshotSink
    ) async throws {
        var readers: [PostgresConnection] = []
        do {
            for number in 1...readerCount {
                var options = options
                options.applicationName = "regionsync snapshot \(number)"
                readers.append(try await PostgresConnection.connect(options))
            }
            let version = await readers[0].serverVersion
            try await withTransactions(on: readers[...], reading: snapshot) { transactions in
                let time = try await Self.clock(transactions[0])
                if let cache {
                    let tables = try await PublishedTable.read(catalog, publication: publication, transactions[0])
                    try await sink.began(lsn, time)
                    try await compare(tables, with: cache, in: transactions, sink)
                } else {
                    let pieces = try await pieces(version, transactions[0])
                    try await sink.began(lsn, time)
                    try await read(pieces, in: transactions, sink)
                }
            }
        } catch {
            for reader in readers { await reader.close() }
            throw error
        }
        for reader in readers { await reader.close() }
    }

    /// Runs `body` while every reader is in a transaction that sees the snapshot.
    private func withTransactions(
        on readers: ArraySlice<PostgresConnection>, reading snapshot: String, begun: [PostgresTransaction] = [],
        _ body: ([PostgresTransaction]) async throws -> Void
    ) async throws {
        guard let reader = readers.first else { return try await body(begun) }
        try await reader.withTransaction(.reading(snapshot: snapshot)) { transaction in
            try await withTransactions(
                on: readers.dropFirst(), reading: snapshot, begun: begun + [transaction], body)
        }
    }

    /// Hands on what the cache lacks, has otherwise, or has too much.
    private func compare(
        _ tables: [PublishedTable], with cache: CachedObjects, in transactions: [PostgresTransaction],
        _ sink: SnapshotSink
    ) async throws {
        let queue = PieceQueue(tables.count)
        try await withThrowingTaskGroup { group in
            for transaction in transactions {
                group.addTask {
                    let source = PostgresDigests(tables: tables, transaction: transaction)
                    while let table = queue.next() {
                        var comparison = TableComparison(
                            table: table, type: tables[table].table.type, source: source, cache: cache)
                        _ = try await comparison.run { difference in
                            switch difference {
                            case .rows(let rows):
                                try await sink.copied(
                                    SnapshotRows(
                                        table: table, columns: rows.columns, bytes: rows.bytes,
                                        rows: rows.objects.map(\.row)))
                            case .extra(let names): try await sink.gone(names)
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func read(
        _ pieces: [Piece], in transactions: [PostgresTransaction], _ sink: SnapshotSink
    ) async throws {
        let queue = PieceQueue(pieces.count)
        try await withThrowingTaskGroup { group in
            for transaction in transactions {
                group.addTask {
                    while let index = queue.next() {
                        let piece = pieces[index]
                        try await transaction.withCopyOut(piece.sql) { rows in
                            while let batch = try await rows.next(maxBytes: 256 << 10) {
                                try await sink.copied(
                                    SnapshotRows(
                                        table: piece.table, columns: piece.columns, bytes: batch.bytes,
                                        rows: batch.messages))
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    // MARK: Plan

    /// Cuts every table into pieces by ctid; a partitioned table is one piece. What the publication hides is not read.
    private func pieces(_ version: Int, _ transaction: PostgresTransaction) async throws -> [Piece] {
        var pieces: [Piece] = []
        for (index, table) in catalog.tables.enumerated() {
            let shown = try await shown(table, version, transaction)
            let columns = shown.columns.filter { !table.omit.contains($0) }
            let list = columns.map(PostgresText.identifier).joined(separator: ", ")
            let from = "SELECT \(list) FROM \(CaptureLook.quoted(table.table))"
            for range in Self.ranges(blocks: shown.blocks) {
                let conditions = [range, shown.filter.map { "(\($0))" }].compactMap(\.self)
                let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
                pieces.append(Piece(table: index, columns: columns, sql: "COPY (\(from)\(condition)) TO STDOUT"))
            }
        }
        return pieces
    }

    private static func clock(_ transaction: PostgresTransaction) async throws -> PostgresTimestamp {
        let clock = try await transaction.query("SELECT (extract(epoch FROM now()) * 1000000)::bigint AS time")
        return PostgresTimestamp(unixMicroseconds: try clock.first?.integer("time") ?? 0)
    }

    /// Conditions that split a table of so many blocks; the last one is open, for blocks that came since.
    private static func ranges(blocks: Int?) -> [String?] {
        guard let blocks, blocks > pieceBlocks else { return [nil] }
        return stride(from: 0, to: blocks, by: pieceBlocks).map { first in
            let lower = "ctid >= '(\(first),0)'::tid"
            return first + pieceBlocks >= blocks ? lower : "\(lower) AND ctid < '(\(first + pieceBlocks),0)'::tid"
        }
    }

    private func shown(
        _ table: CatalogTable, _ version: Int, _ transaction: PostgresTransaction
    ) async throws -> (columns: [String], filter: String?, blocks: Int?) {
        let lists = version >= 150_000
        let rows = try await transaction.query(
            """
            SELECT a.attname, \(lists ? "p.rowfilter" : "NULL::text") AS filter,
                CASE WHEN c.relkind = 'r'
                    THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint END AS blocks
            FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = p.schemaname
                JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
                JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE p.pubname = $1 AND p.schemaname = $2 AND p.tablename = $3 AND a.attnum > 0 AND NOT a.attisdropped
                AND a.attgenerated = ''\(lists ? " AND a.attname = ANY (p.attnames)" : "")
            ORDER BY a.attnum
            """, [publication, table.table.schema, table.table.name])
        guard let first = rows.first else {
            throw CaptureFailure.stop(.publicationIncomplete(publication, tables: [table.table]))
        }
        return (
            try rows.map { row throws(PostgresError) in try row.string("attname") },
            try first.optionalString("filter"), try first.optionalString("blocks").flatMap { Int($0) }
        )
    }
}

/// Hands out numbers from 0 up to a count, each once.
private final class PieceQueue: Sendable {
    private let taken = Atomic(0)
    private let count: Int

    init(_ count: Int) { self.count = count }

    func next() -> Int? {
        let index = taken.wrappingAdd(1, ordering: .relaxed).oldValue
        return index < count ? index : nil
    }
}
