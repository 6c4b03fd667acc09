package import Journal

/// Where a copy lacks entries of its journal for good: they left that before the copy had them. A value.
package struct EntryGaps: Sendable {
    private struct Gap {
        var behind: EntryID
        var through: EntryID
    }

    /// Gaps told apart; beyond these the two oldest are taken for one.
    package static let limit = 16

    /// Apart from each other, the oldest first.
    private var gaps: [Gap] = []

    package init() {}

    /// Some of the entries behind one and through another, at least, are lacking.
    package mutating func found(behind: EntryID, through: EntryID) {
        guard behind < through else { return }
        var found = Gap(behind: behind, through: through)
        gaps.removeAll { gap in
            guard gap.behind <= found.through, found.behind <= gap.through else { return false }
            found.behind = min(found.behind, gap.behind)
            found.through = max(found.through, gap.through)
            return true
        }
        gaps.insert(found, at: gaps.firstIndex { found.through < $0.behind } ?? gaps.endIndex)
        guard gaps.count > Self.limit else { return }
        let oldest = gaps.removeFirst()
        gaps[0].behind = oldest.behind
    }

    /// Whether the copy may lack an entry.
    package func contain(_ entry: EntryID) -> Bool { gaps.contains { $0.behind < entry && entry <= $0.through } }
}
