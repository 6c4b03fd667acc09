package import Journal
package import NIOCore

/// What a peer says of its copy of a journal.
package struct CopyState: Hashable, Sendable {
    /// The mark of the journal that the copy is of; nil when the stream has no meta: somebody else made it.
    package var birth: String?
    /// The last entry that was appended under guard: the copy's cursor.
    package var last: EntryID
    /// Entries appended since the copy began.
    package var count: UInt64
    /// Entries that are there.
    package var length: UInt64
    /// The last ID that the stream itself has given out.
    package var generated: EntryID
    /// The highest ID that was trimmed there.
    package var floor: EntryID
    package var isClosed: Bool
    /// The copy before this one, which was set aside.
    package var fork: ClosedCopy?
    /// Of what its newest entry holds; nil where there is none.
    package var digest: String?
    /// What it will never have, as it was noted beside it; nil where nothing was.
    package var gap: CopyGap?

    package init(
        birth: String?, last: EntryID, count: UInt64, length: UInt64, generated: EntryID, floor: EntryID = .zero,
        isClosed: Bool = false, fork: ClosedCopy? = nil, digest: String? = nil, gap: CopyGap? = nil
    ) {
        self.birth = birth
        self.last = last
        self.count = count
        self.length = length
        self.generated = generated
        self.floor = floor
        self.isClosed = isClosed
        self.fork = fork
        self.digest = digest
        self.gap = gap
    }
}

/// A copy that was set aside since its journal does not continue it.
package struct ClosedCopy: Hashable, Sendable {
    /// It is kept as `<key>:closed:<number>`.
    package let number: Int
    package let cause: String
    /// Entries that it has and the journal has not.
    package let entries: UInt64
    /// Whether it was counted and logged already.
    package let isTold: Bool

    package init(number: Int, cause: String, entries: UInt64, isTold: Bool) {
        self.number = number
        self.cause = cause
        self.entries = entries
        self.isTold = isTold
    }
}

/// What the region of birth says of a journal, asked with the cursor and the mark of a copy.
package struct SourceState: Hashable, Sendable {
    /// Drawn when the stream was created or its history forked.
    package var birth: String
    /// Whether the mark of the copy was the journal's own before its history forked.
    package var isFormerBirth: Bool
    /// The highest ID that its owner has trimmed.
    package var floor: EntryID
    /// The last ID that the stream has given out.
    package var generated: EntryID
    /// Entries that the stream was ever given.
    package var added: UInt64
    /// The newest entry at or below the cursor; nil where all of them are gone.
    package var found: EntryID?
    /// Entries ever added at or below the cursor; where none of them is left, also those above it that are gone. Nil when
    /// it would take long to count.
    package var passed: UInt64?
    /// Entries known never to have come to this copy; nil when this peer never had one.
    package var missed: UInt64?
    package var isClosed: Bool
    /// Of what the entry `found` holds.
    package var digest: String?

    package init(
        birth: String, isFormerBirth: Bool = false, floor: EntryID = .zero, generated: EntryID, added: UInt64,
        found: EntryID?, passed: UInt64?, missed: UInt64? = 0, isClosed: Bool = false,
        digest: String? = nil
    ) {
        self.birth = birth
        self.isFormerBirth = isFormerBirth
        self.floor = floor
        self.generated = generated
        self.added = added
        self.found = found
        self.passed = passed
        self.missed = missed
        self.isClosed = isClosed
        self.digest = digest
    }
}

/// An entry as a server keeps it, for comparing.
package struct KeptEntry: Hashable, Sendable {
    package let id: EntryID
    /// Its ID and fields as they stand on the wire.
    package let wire: ByteBuffer

    package init(id: EntryID, wire: ByteBuffer) {
        self.id = id
        self.wire = wire
    }
}
