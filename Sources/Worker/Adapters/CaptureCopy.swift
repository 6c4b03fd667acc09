internal import Capture
internal import PGOutput
internal import PostgresClient
internal import RegionConfig
internal import Synchronization

/// Copies the catalog's tables as an exported snapshot shows them: several readers, each taking the next piece of a table.
struct CaptureCopy {
    /// Blocks of 8 KiB that one COPY takes: 32 MiB of table.
    private static let pieceBlocks = 4096

    /// A run of blocks of one table.
    private struct Piece: Sendable {
        let table: Int
        let columns: [String]
        let sql: String
    }

    /// What is to be copied, and the server's clock.
    private struct Plan: Sendable {
        var pieces: [Piece] = []
        let time: PostgresTimestamp
    }

    let region: String
    let catalog: Catalog
    let publication: String
    let slot: String
    let readerCount: Int
    let options: PostgresOptions

    /// Every reader imports the snapshot before the first row is read: from then on nothing depends on its exporter.
    func run(
        snapshot: String, at lsn: LSN, began: @escaping @Sendable (LSN, PostgresTimestamp) async throws -> Void,
        copied: @escaping @Sendable (SnapshotRows) async throws -> Void
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
                let plan = try await self.plan(version, transactions[0])
                try await began(lsn, plan.time)
                try await read(plan.pieces, in: transactions, copied)
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

    private func read(
        _ pieces: [Piece], in transactions: [PostgresTransaction],
        _ copied: @escaping @Sendable (SnapshotRows) async throws -> Void
    ) async throws {
        let queue = PieceQueue(pieces.count)
        try await withThrowingTaskGroup { group in
            for transaction in transactions {
                group.addTask {
                    while let index = queue.next() {
                        let piece = pieces[index]
                        try await transaction.withCopyOut(piece.sql) { rows in
                            while let batch = try await rows.next(maxBytes: 256 << 10) {
                                try await copied(
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
    private func plan(_ version: Int, _ transaction: PostgresTransaction) async throws -> Plan {
        let clock = try await transaction.query("SELECT (extract(epoch FROM now()) * 1000000)::bigint AS time")
        let time: Int64 = try clock.first?.integer("time") ?? 0
        var plan = Plan(time: PostgresTimestamp(unixMicroseconds: time))
        for (index, table) in catalog.tables.enumerated() {
            let shown = try await shown(table, version, transaction)
            let columns = shown.columns.filter { !table.omit.contains($0) }
            let list = columns.map(PostgresText.identifier).joined(separator: ", ")
            let from = "SELECT \(list) FROM \(CaptureLook.quoted(table.table))"
            for range in Self.ranges(blocks: shown.blocks) {
                let conditions = [range, shown.filter.map { "(\($0))" }].compactMap(\.self)
                let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
                plan.pieces.append(Piece(table: index, columns: columns, sql: "COPY (\(from)\(condition)) TO STDOUT"))
            }
        }
        return plan
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
