/// Where a journal is read next.
package struct JournalCursor: Hashable, Sendable {
    package let journal: JournalName
    /// The last entry that is not wanted any more.
    package let last: EntryID

    package init(_ journal: JournalName, behind last: EntryID) {
        self.journal = journal
        self.last = last
    }
}

/// Entries that a read found behind a cursor.
package struct JournalRead: Sendable {
    package let journal: JournalName
    package let batch: EntryBatch

    package init(_ journal: JournalName, _ batch: EntryBatch) {
        self.journal = journal
        self.batch = batch
    }
}
