package import Journal
package import PGOutput
package import RegionConfig
internal import RESP

/// Turns decoded pgoutput messages into journal entries: a value without I/O, clock or logger, used by one task.
///
/// Entries of a transaction take the position of its commit (Begin's final LSN) and rising ordinals; the `commit` entry
/// closes it and carries the end LSN, which is where replication resumes. What comes again after a restart gets the same
/// IDs, so what the journal already holds is passed over.
package struct TransactionEncoder: ~Copyable {
    /// Row changes by table of the catalog, and what was left out.
    package struct Counts: Hashable, Sendable {
        package struct Table: Hashable, Sendable {
            package var inserts = 0
            package var updates = 0
            package var deletes = 0
            package var truncates = 0
        }

        /// In the catalog's order.
        package var tables: [Table]
        /// Changes of tables that the publication carries and the catalog does not.
        package var uncatalogued = 0
        /// Logical messages (`pg_logical_emit_message`).
        package var messages = 0
    }

    private enum State: Sendable {
        /// Between transactions. → inside
        case outside
        /// Behind Begin. → outside
        case inside(Open)
        /// A message could not be encoded. Final.
        case stopped
    }

    private struct Open: Sendable {
        let begin: PGOutputMessage.Begin
        /// Worth a `commit` entry though no row is: somebody may wait for its xid.
        var hasMessage = false
    }

    private let history: UInt64
    private let catalog: Catalog
    private var relations: [UInt32: CapturedRelation?] = [:]
    /// The relation of the row before; rows of a table come in runs.
    private var recent: (id: UInt32, relation: CapturedRelation?)?
    private var writer: EntryWriter
    private var state = State.outside
    package private(set) var counts: Counts
    /// The end of the last whole transaction; `.zero` before the first.
    package private(set) var completed = LSN.zero

    /// `journaled` is the entry that the journal ends with.
    package init(history: UInt64, catalog: Catalog, journaled: EntryID, limits: BatchLimits = BatchLimits()) {
        self.history = history
        self.catalog = catalog
        writer = EntryWriter(journaled: journaled, limits: limits)
        counts = Counts(tables: Array(repeating: .init(), count: catalog.tables.count))
    }

    /// No transaction is open and no entry waits for its batch to be cut.
    package var isIdle: Bool {
        if case .outside = state { writer.isEmpty } else { false }
    }

    /// The entry that the journal ends with once all batches are appended.
    package var last: EntryID { writer.last }

    /// Whether `takeBatches` has something to give in the middle of everything.
    package var hasFullBatches: Bool { writer.hasFullBatches }

    /// The batches that are full. Where nothing more is at hand, the closed transactions behind them make one, too.
    package mutating func takeBatches(isCaughtUp: Bool) -> [CaptureBatch] {
        let isOutside = if case .outside = state { true } else { false }
        return writer.takeBatches(all: isCaughtUp && isOutside)
    }

    /// Encodes one message. `columns` are the decoder's, `bytes` what it decoded, `lsn` where the message stands.
    /// After a failure nothing more is encoded.
    package mutating func encode(
        _ message: PGOutputMessage, columns: [TupleColumn], bytes: RawSpan, lsn: LSN
    ) throws(CaptureStop) {
        do {
            switch message {
            case .insert(let insert): try self.insert(insert, columns, bytes, lsn)
            case .update(let update): try self.update(update, columns, bytes, lsn)
            case .delete(let delete): try self.delete(delete, columns, bytes, lsn)
            case .begin(let begin): try self.begin(begin, lsn)
            case .commit(let commit): try self.commit(commit, lsn)
            case .relation(let relation): try learn(relation)
            case .truncate(let truncate): try self.truncate(truncate, lsn)
            case .message(let message): note(message)
            case .type, .origin: break
            }
        } catch {
            state = .stopped
            recent = nil
            throw error
        }
    }

    // MARK: Transactions

    private mutating func begin(_ begin: PGOutputMessage.Begin, _ lsn: LSN) throws(CaptureStop) {
        guard case .outside = state else { throw .undecodable(lsn: lsn, what: "a Begin where none can be") }
        writer.begin(at: try position(begin.finalLSN))
        state = .inside(Open(begin: begin))
    }

    private mutating func commit(_ commit: PGOutputMessage.Commit, _ lsn: LSN) throws(CaptureStop) {
        guard case .inside(let open) = state, commit.commitLSN == open.begin.finalLSN else {
            throw .undecodable(lsn: lsn, what: "a Commit without its Begin")
        }
        let position = try position(commit.endLSN)
        if writer.entryCount > 0 || open.hasMessage {
            writer.close(
                .commit, end: commit.endLSN, xid: open.begin.xid, at: commit.committedAt, position: position)
        }
        completed = commit.endLSN
        recent = nil
        state = .outside
    }

    private func position(_ lsn: LSN) throws(CaptureStop) -> Position {
        guard let position = Position(history: history, lsn: lsn.rawValue) else {
            throw .positionOverflow(history: history)
        }
        return position
    }

    private mutating func note(_ message: PGOutputMessage.LogicalMessage) {
        counts.messages += 1
        guard message.isTransactional, case .inside(var open) = state else { return }
        open.hasMessage = true
        state = .inside(open)
    }

    // MARK: Relations

    private mutating func learn(_ relation: Relation) throws(CaptureStop) {
        recent = nil
        let name = TableName(schema: relation.namespace, name: relation.name)
        guard let index = catalog.tables.firstIndex(where: { $0.table == name }) else {
            relations.updateValue(nil, forKey: relation.id)
            return
        }
        relations[relation.id] = try CapturedRelation(catalog.tables[index], index: index, relation: relation)
    }

    /// The relation of a row; nil when the catalog does not have it.
    private mutating func captured(_ id: UInt32, _ lsn: LSN) throws(CaptureStop) -> CapturedRelation? {
        if let recent, recent.id == id { return recent.relation }
        guard case .inside = state else { throw .undecodable(lsn: lsn, what: "a change outside a transaction") }
        guard let known = relations[id] else { throw .undecodable(lsn: lsn, what: "unknown relation \(id)") }
        recent = (id, known)
        return known
    }

    // MARK: Rows

    private mutating func insert(
        _ insert: PGOutputMessage.Insert, _ columns: [TupleColumn], _ bytes: RawSpan, _ lsn: LSN
    ) throws(CaptureStop) {
        guard let relation = try captured(insert.relation, lsn) else { return leaveOut() }
        counts.tables[relation.index].inserts += 1
        try unsafe bytes.withUnsafeBytes { bytes throws(CaptureStop) in
            writer.writeInsert(try unsafe row(relation, columns, insert.new, nil, bytes, lsn))
        }
    }

    private mutating func update(
        _ update: PGOutputMessage.Update, _ columns: [TupleColumn], _ bytes: RawSpan, _ lsn: LSN
    ) throws(CaptureStop) {
        guard let relation = try captured(update.relation, lsn) else { return leaveOut() }
        counts.tables[relation.index].updates += 1
        try unsafe bytes.withUnsafeBytes { bytes throws(CaptureStop) in
            switch update.old {
            case nil:
                writer.write(try unsafe row(relation, columns, update.new, nil, bytes, lsn))
            case .full(let tuple), .key(let tuple):
                let old = try unsafe row(relation, columns, tuple, nil, bytes, lsn)
                replace(old, by: try unsafe row(relation, columns, update.new, tuple, bytes, lsn))
            }
        }
    }

    private mutating func replace(_ old: Row, by new: Row) {
        if new.hasSameName(as: old) {
            writer.write(new)
        } else if !new.isWhole {
            writer.write(new, movedFrom: old)
            writer.writeDelete(old)
        } else {
            writer.writeDelete(old)
            writer.write(new)
        }
    }

    private mutating func delete(
        _ delete: PGOutputMessage.Delete, _ columns: [TupleColumn], _ bytes: RawSpan, _ lsn: LSN
    ) throws(CaptureStop) {
        guard let relation = try captured(delete.relation, lsn) else { return leaveOut() }
        counts.tables[relation.index].deletes += 1
        let tuple =
            switch delete.old {
            case .key(let tuple), .full(let tuple): tuple
            }
        try unsafe bytes.withUnsafeBytes { bytes throws(CaptureStop) in
            writer.writeDelete(try unsafe row(relation, columns, tuple, nil, bytes, lsn))
        }
    }

    private mutating func truncate(_ truncate: PGOutputMessage.Truncate, _ lsn: LSN) throws(CaptureStop) {
        for id in truncate.relations {
            guard let relation = try captured(id, lsn) else {
                leaveOut()
                continue
            }
            counts.tables[relation.index].truncates += 1
            writer.writeTruncate(type: relation.table.type)
        }
    }

    private mutating func leaveOut() {
        counts.uncatalogued += 1
        writer.skip()
    }

    /// A row that has its relation's shape and names its object.
    private func row(
        _ relation: CapturedRelation, _ columns: [TupleColumn], _ tuple: Range<Int>, _ before: Range<Int>?,
        _ bytes: UnsafeRawBufferPointer, _ lsn: LSN
    ) throws(CaptureStop) -> Row {
        guard tuple.count == relation.columnCount, before == nil || before?.count == tuple.count,
            tuple.upperBound <= columns.count
        else {
            throw .undecodable(
                lsn: lsn, what: "\(tuple.count) columns where \(relation.table.table) has \(relation.columnCount)")
        }
        let row = unsafe Row(relation: relation, columns: columns, tuple: tuple, before: before, bytes: bytes)
        if let column = row.unnamedColumn() {
            throw .unnamedRow(
                relation.table.table, column: column, position: writer.position)
        }
        return row
    }
}
