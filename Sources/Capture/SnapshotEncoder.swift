package import Journal
package import PGOutput
package import RegionConfig

/// Turns copied rows into the entries of a snapshot: `begin-snapshot`, a `put` a row in the order in which they come, in a
/// diff a `delete` an object that is gone, `end-snapshot`.
///
/// Entries take the position just below the slot's consistent point, before every transaction that is streamed. A broken
/// run is not continued: the next one has a higher consistent point, and its `begin-snapshot` starts all readers afresh.
package struct SnapshotEncoder: ~Copyable {
    private let history: UInt64
    private let catalog: Catalog
    private var writer: EntryWriter
    private var decoder = CopyTextDecoder()
    private var relations: [Int: (columns: [String], relation: CapturedRelation)] = [:]
    private var consistentPoint = LSN.zero
    private var time = PostgresTimestamp(microseconds: 0)
    /// Rows so far.
    package private(set) var rowCount = 0
    /// Deleted objects so far.
    package private(set) var goneCount = 0

    /// `journaled` is the entry that the journal ends with.
    package init(history: UInt64, catalog: Catalog, journaled: EntryID, limits: BatchLimits = BatchLimits()) {
        self.history = history
        self.catalog = catalog
        writer = EntryWriter(journaled: journaled, limits: limits)
    }

    /// Marks, before there is a slot, that a snapshot is about to be made. A slot beside an empty journal then always
    /// means that Redis was emptied. It is left open: nobody is told anything yet.
    package mutating func announce(at flushed: LSN) throws(CaptureStop) {
        writer.begin(at: try position(flushed))
        writer.writeBeginSnapshot(.due)
    }

    /// Tells all regions that changes were missed, and marks where their projections have folded everything before. It
    /// moves no position: what was missed is not there yet. Answers where it stands.
    package mutating func announceDue(at flushed: LSN) throws(CaptureStop) -> Position {
        let position = try position(flushed)
        writer.begin(at: position)
        writer.writeBeginSnapshot(.due)
        writer.close(
            .endSnapshot, end: flushed, xid: 0, at: PostgresTimestamp(unixMicroseconds: 0), position: nil)
        return position
    }

    /// The slot begins at `consistentPoint`; `time` is what the server's clock says.
    package mutating func begin(
        _ snapshot: ProvisioningEntry.Snapshot, at consistentPoint: LSN, time: PostgresTimestamp
    ) throws(CaptureStop) {
        self.time = time
        self.consistentPoint = consistentPoint
        writer.begin(at: try position(LSN(max(consistentPoint.rawValue, 1) - 1)))
        writer.writeBeginSnapshot(snapshot)
    }

    /// Objects that PostgreSQL does not have.
    package mutating func encode(gone names: [ProvisioningEntry.ObjectName]) {
        for name in names { writer.writeDelete(name) }
        goneCount += names.count
    }

    package mutating func encode(_ rows: SnapshotRows) throws(CaptureStop) {
        let relation = try relation(rows)
        var bytes = rows.bytes
        for range in rows.rows {
            do { try decoder.decode(&bytes, at: range) } catch { throw unreadable(relation) }
            guard decoder.columns.count == relation.columnCount else { throw unreadable(relation) }
            try unsafe bytes.span.bytes.withUnsafeBytes { bytes throws(CaptureStop) in
                let row = unsafe Row(
                    relation: relation, columns: decoder.columns, tuple: 0..<relation.columnCount, before: nil,
                    bytes: bytes)
                if let column = row.unnamedColumn() {
                    throw .unnamedRow(relation.table.table, column: column, position: writer.position)
                }
                writer.write(row)
            }
        }
        rowCount += rows.rows.count
    }

    private func unreadable(_ relation: CapturedRelation) -> CaptureStop {
        .undecodable(lsn: consistentPoint, what: "a row of COPY \(relation.table.table)")
    }

    /// Everything was copied; replication resumes at the consistent point.
    package mutating func end() throws(CaptureStop) {
        writer.close(
            .endSnapshot, end: consistentPoint, xid: 0, at: time, position: try position(consistentPoint))
    }

    /// The batches that are full; `all` of what was encoded.
    package mutating func takeBatches(all: Bool) -> [CaptureBatch] { writer.takeBatches(all: all) }

    private mutating func relation(_ rows: SnapshotRows) throws(CaptureStop) -> CapturedRelation {
        if let known = relations[rows.table], known.columns == rows.columns { return known.relation }
        let relation = try CapturedRelation(catalog.tables[rows.table], index: rows.table, columns: rows.columns)
        relations[rows.table] = (rows.columns, relation)
        return relation
    }

    private func position(_ lsn: LSN) throws(CaptureStop) -> Position {
        guard let position = Position(history: history, lsn: lsn.rawValue) else {
            throw .positionOverflow(history: history)
        }
        return position
    }
}
