internal import Journal
internal import PGOutput
internal import Provisioning
internal import RESP

/// Writes the entries of runs (transactions, snapshots) one after the other and cuts them into batches.
///
/// Entries that the journal already holds are counted and not written: after a crash in the middle of a run the same run
/// comes again and continues where the journal ends.
struct EntryWriter: ~Copyable {
    private let limits: BatchLimits
    /// The last entry that the journal already holds.
    private let journaled: EntryID
    private var builder: EntryBatchBuilder
    private var data = RowDataWriter()
    /// The position of the run that is open.
    private(set) var position = Position.zero
    private var nextOrdinal: UInt64 = 1
    private var closed: Position?
    private var transactions = 0
    private var committedAt: PostgresTimestamp?
    private var ready: [CaptureBatch] = []
    /// Entries of the run so far, those the journal already held included.
    private(set) var entryCount: UInt64 = 0

    init(journaled: EntryID, limits: BatchLimits) {
        self.journaled = journaled
        self.limits = limits
        builder = EntryBatchBuilder(previous: journaled)
    }

    /// The entry that the journal ends with once all batches are appended.
    var last: EntryID { builder.last }

    /// No entry waits for its batch to be cut.
    var isEmpty: Bool { builder.count == 0 }

    /// Whether batches are cut and not taken.
    var hasFullBatches: Bool { !ready.isEmpty }

    /// Begins a run whose entries take this position.
    mutating func begin(at position: Position) {
        self.position = position
        nextOrdinal = 1
        entryCount = 0
    }

    /// Batches that are cut. `all`: what is written so far makes a batch, too.
    mutating func takeBatches(all: Bool) -> [CaptureBatch] {
        if all { cut() }
        defer { ready.removeAll() }
        return ready
    }

    // MARK: Entries

    /// Passes over an ordinal: a change that makes no entry takes its place all the same, so that the entries of a
    /// transaction have the same IDs whatever the catalog says when it comes again.
    mutating func skip() { nextOrdinal += 1 }

    /// The object is now this row, and was not there before.
    mutating func writeInsert(_ row: Row) { write(row, Words.insert) }

    /// The object is now this row; columns that the log does not hold make it a patch.
    mutating func write(_ row: Row) { write(row, Words.put) }

    /// `whole` are the words for a row that the log holds all columns of.
    private mutating func write(_ row: Row, _ whole: BulkStrings) {
        guard let id = next() else { return }
        let isWhole = row.write(to: &data)
        builder.append(id: id, fields: 5) { strings in
            strings.append(contentsOf: isWhole ? whole : Words.patch)
            Self.write(nameOf: row, to: &strings)
            strings.append("data" as StaticString)
            data.withBytes { strings.append($0) }
        }
        cutIfFull()
    }

    /// The object that was `old` is now `row`, under another name, and the log does not hold all its columns: they are
    /// those of the old object. The entry names it in `fromTenant` and `fromKey` and stands before its `delete`.
    mutating func write(_ row: Row, movedFrom old: Row) {
        guard let id = next() else { return }
        _ = row.write(to: &data)
        builder.append(id: id, fields: 7) { strings in
            strings.append(contentsOf: Words.patch)
            Self.write(nameOf: row, to: &strings)
            strings.append("data" as StaticString)
            data.withBytes { strings.append($0) }
            strings.append("fromTenant" as StaticString)
            old.appendTenant(to: &strings)
            strings.append("fromKey" as StaticString)
            old.appendKey(to: &strings)
        }
        cutIfFull()
    }

    mutating func writeDelete(_ row: Row) {
        guard let id = next() else { return }
        builder.append(id: id, fields: 4) { strings in
            strings.append(contentsOf: Words.delete)
            Self.write(nameOf: row, to: &strings)
        }
        cutIfFull()
    }

    mutating func writeTruncate(type: String) {
        guard let id = next() else { return }
        builder.appendTruncate(type: type, id: id)
        cutIfFull()
    }

    mutating func writeDelete(_ name: ProvisioningEntry.ObjectName) {
        guard let id = next() else { return }
        builder.appendDelete(name, id: id)
        cutIfFull()
    }

    mutating func writeBeginSnapshot(_ snapshot: ProvisioningEntry.Snapshot) {
        guard let id = next() else { return }
        builder.appendBeginSnapshot(snapshot, id: id)
    }

    /// Closes the run; replication resumes at `position` behind it, or where it did before if that is nil.
    mutating func close(
        _ operation: ProvisioningEntry.Operation, end: LSN, xid: UInt32, at time: PostgresTimestamp, position: Position?
    ) {
        let closing = ProvisioningEntry.Closing(
            count: entryCount, end: end.rawValue, xid: xid, time: time.unixMicroseconds)
        guard let id = next() else { return }
        builder.append(operation, closing: closing, id: id)
        if let position {
            closed = position
            transactions += 1
            committedAt = time
        }
        // Half a batch is enough for one append: what follows might be cut in the middle instead.
        if builder.count >= limits.entries / 2 || builder.byteCount >= limits.bytes / 2 { cut() }
    }

    private static func write(nameOf row: Row, to strings: inout BulkStrings) {
        row.appendTenant(to: &strings)
        strings.append(contentsOf: row.relation.typeHead)
        row.appendKey(to: &strings)
    }

    /// The ID of the next entry; nil when the journal already holds it.
    private mutating func next() -> EntryID? {
        let id = position.entryID(ordinal: nextOrdinal)
        nextOrdinal += 1
        entryCount += 1
        return id > journaled ? id : nil
    }

    private mutating func cutIfFull() {
        if builder.count >= limits.entries || builder.byteCount >= limits.bytes { cut() }
    }

    private mutating func cut() {
        guard let entries = builder.batch() else { return }
        ready.append(
            CaptureBatch(entries, position: closed, transactions: transactions, committedAt: committedAt))
        // The next batch is likely to be about as large.
        builder = EntryBatchBuilder(previous: entries.last, capacity: entries.byteCount + entries.byteCount / 8)
        closed = nil
        transactions = 0
        committedAt = nil
    }
}

/// The strings that begin an entry, in wire form.
private enum Words {
    static let put = BulkStrings(["op", "put", "tenant"])
    static let insert = BulkStrings(["op", "insert", "tenant"])
    static let patch = BulkStrings(["op", "patch", "tenant"])
    static let delete = BulkStrings(["op", "delete", "tenant"])
}
