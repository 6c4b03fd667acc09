package import Journal

/// Whether all that ever happened in another region's voice journal came to this one, or was restated.
package enum Wholeness: Hashable, Sendable {
    /// That region's link has not said it yet.
    case unknown
    case whole
    /// Entries up to `through` never came, and what they left alive was not restated. `isFirst`: it was never whole.
    case lacking(through: EntryID, isFirst: Bool)

    /// - Parameters: - gap: What the copy will never have; nil where nothing is noted. - restated: As of which entry
    ///   the last restatement was that counted, or zero where none had to; nil before it was ever whole.
    package init(gap: CopyGap?, restated: EntryID?) {
        switch (gap, restated) {
        case (nil, nil): self = .unknown
        case (nil, _): self = .whole
        case (let gap?, _) where gap.missed == 0: self = .whole
        case (let gap?, let restated?) where restated >= gap.through: self = .whole
        case (let gap?, _): self = .lacking(through: gap.through, isFirst: restated == nil)
        }
    }
}

/// A voice journal of another region of which something is missing here.
package struct LackingJournal: Hashable, Sendable {
    package let journal: JournalName
    package let through: EntryID
    /// It was never whole.
    package let isFirst: Bool

    package init(journal: JournalName, through: EntryID, isFirst: Bool) {
        self.journal = journal
        self.through = through
        self.isFirst = isFirst
    }
}
