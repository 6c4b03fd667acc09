package import Journal

/// How far the projection is with a journal.
package struct JournalProgress: Hashable, Sendable {
    package let journal: JournalName
    /// The last entry that was folded.
    package let cursor: EntryID
    /// How many entries were folded since the journal was taken on.
    package let folded: UInt64

    package init(_ journal: JournalName, cursor: EntryID, folded: UInt64) {
        self.journal = journal
        self.cursor = cursor
        self.folded = folded
    }
}
