package import Journal
package import PGOutput

/// What one append brings to the journal.
package struct CaptureBatch: Sendable {
    /// The entries; nil when only the position moves.
    package let entries: EntryBatch?
    /// The entry that the journal has to end with before.
    package let previous: EntryID
    /// The entry that it ends with after.
    package let last: EntryID
    /// Where replication resumes behind the last run that the batch closes; nil when it closes none.
    package let position: Position?
    /// Closed transactions.
    package let transactions: Int
    /// When the last of them was committed.
    package let committedAt: PostgresTimestamp?

    /// A run of entries.
    package init(_ entries: EntryBatch, position: Position?, transactions: Int, committedAt: PostgresTimestamp?) {
        self.entries = entries
        previous = entries.previous
        last = entries.last
        self.position = position
        self.transactions = transactions
        self.committedAt = committedAt
    }

    /// No entries: the journal ends with `last`, and nothing of ours stands in PostgreSQL's log up to `position`.
    package init(position: Position, behind last: EntryID) {
        entries = nil
        previous = last
        self.last = last
        self.position = position
        transactions = 0
        committedAt = nil
    }

    package var byteCount: Int { entries?.byteCount ?? 64 }

    /// Whether the journal has taken this batch. Entries show it by their IDs; a position moves no entry, so that the
    /// journal's own position has to be as far.
    func isHeld(by journal: JournalState) -> Bool {
        guard entries == nil else { return last <= journal.last }
        guard let position, let held = journal.position else { return false }
        return held >= position
    }

    /// Whether this is a position behind an entry that the journal no longer ends with, so that its guard refuses it.
    func isOvertaken(by journal: JournalState) -> Bool { entries == nil && last < journal.last }
}

/// How large one append may become. A batch is closed behind a transaction where that can be, within one where it is
/// larger: a large transaction is appended as it arrives and never collected.
package struct BatchLimits: Hashable, Sendable {
    package var entries: Int
    package var bytes: Int

    package init(entries: Int = 512, bytes: Int = 256 << 10) {
        precondition(entries > 0 && bytes > 0, "a batch holds something")
        self.entries = entries
        self.bytes = bytes
    }
}
