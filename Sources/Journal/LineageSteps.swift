/// A piece of a copy's tail that its journal gets back.
package struct Healing: Hashable, Sendable {
    /// The journal's mark.
    package var birth: String
    /// The last ID that the journal has given out.
    package var behind: EntryID
    /// Entries before the piece that neither holds any more.
    package var gap: UInt64
    /// What the journal's floor becomes; nil leaves it.
    package var floor: EntryID?
    /// The last ID that the journal is to have given out behind the piece; nil for that of its last entry.
    package var raise: EntryID?
    /// The copy's mark where it is another one: a former one of the journal from the first piece on.
    package var former: String?

    package init(
        birth: String, behind: EntryID, gap: UInt64, floor: EntryID? = nil, raise: EntryID? = nil,
        former: String? = nil
    ) {
        self.birth = birth
        self.behind = behind
        self.gap = gap
        self.floor = floor
        self.raise = raise
        self.former = former
    }
}

/// What happens to a journal in its region of birth before a copy of another mark heals it or is set aside: it gets a mark
/// that was never drawn before. A server that went back may bring back any mark, also that of a closed copy.
package struct Rebirth: Hashable, Sendable {
    /// The journal's mark as it was found.
    package let birth: String
    /// The lowest that the journal's last ID may be, so that readers' cursors stay valid; nil: any.
    package let minimum: EntryID?
    /// The newest entry that both histories have.
    package let common: EntryID
    /// What the copy that is set aside has and the journal does not, for readers who come back; nil where that is nothing.
    package let parted: PartedEntries?

    package init(birth: String, minimum: EntryID?, common: EntryID, parted: PartedEntries? = nil) {
        self.birth = birth
        self.minimum = minimum
        self.common = common
        self.parted = parted
    }
}

/// A copy that gets its journal's present mark.
package struct Adoption: Hashable, Sendable {
    package let birth: String
    /// The copy's mark and last entry, as they were found.
    package let copyBirth: String
    package let last: EntryID
    /// What an empty copy of another history counts from now on; nil where the history is the same.
    package let count: UInt64?

    package init(birth: String, copyBirth: String, last: EntryID, count: UInt64?) {
        self.birth = birth
        self.copyBirth = copyBirth
        self.last = last
        self.count = count
    }
}

/// A copy that is set aside, and how the new one begins.
package struct Fork: Hashable, Sendable {
    /// One word, for people and metrics.
    package let cause: String
    /// The copy's mark, last entry and floor, as they were found.
    package let copyBirth: String
    package let last: EntryID
    package let floor: EntryID
    /// A projection of the copy that has seen more has to go on behind this: the newest entry that both histories have, or
    /// `last` where all that is new stands above.
    package let common: EntryID
    /// The new copy keeps the entries up to here; zero for none.
    package let keep: EntryID
    /// What the new copy counts; nil for what it keeps and what was trimmed before.
    package let count: UInt64?
    /// Entries that only the closed copy has; nil for those that the new one does not keep.
    package let lost: UInt64?
    /// As `Rebirth.parted`.
    package let parted: PartedEntries?

    package init(
        cause: String, copyBirth: String, last: EntryID, floor: EntryID = .zero, common: EntryID, keep: EntryID,
        count: UInt64?, lost: UInt64? = nil, parted: PartedEntries? = nil
    ) {
        self.cause = cause
        self.copyBirth = copyBirth
        self.last = last
        self.floor = floor
        self.common = common
        self.keep = keep
        self.count = count
        self.lost = lost
        self.parted = parted
    }
}

extension EntryBatch {
    /// Where replication resumes behind the last transaction or snapshot that these entries of a provisioning journal
    /// close; nil when they close none, or are no such entries.
    package var closingPosition: Position? {
        var last: (id: EntryID, closing: ProvisioningEntry.Closing)?
        try? forEachEntry { entry in
            switch try? ProvisioningEntry(entry) {
            case .commit(let closing), .endSnapshot(let closing): last = (entry.id, closing)
            case .put, .insert, .patch, .delete, .truncate, .beginSnapshot, nil: break
            }
        }
        return last.flatMap { Position(history: Position(number: $0.id.first).history, lsn: $0.closing.end) }
    }
}

extension EntryID {
    /// The ID right before; nil before zero.
    package var predecessor: EntryID? {
        if second > 0 { return EntryID(first: first, second: second - 1) }
        return first > 0 ? EntryID(first: first - 1, second: .max) : nil
    }
}
