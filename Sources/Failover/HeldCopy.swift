package import Journal

/// One region's copy of a journal of the region that is down.
package struct HeldCopy: Hashable, Sendable {
    /// Why a copy is left alone that does not hold what another one does.
    package enum Obstacle: String, Hashable, Sendable {
        /// The copies are of two journals that bore one name.
        case otherBirth = "born at another time"
        case closed = "closed"
        /// Somebody else wrote to one of them, or they hold different entries at one place.
        case forked = "forked"
        /// The longer one has lost some of what the other lacks.
        case trimmed = "no longer whole behind the other's end"
        /// The target of an entry does not take it.
        case refused = "refused by the server"
        /// Somebody went on writing to one of them, or deleting.
        case changing = "changed all the while"

        /// For people.
        package func text(on journal: JournalName) -> String { "\(journal) (\(rawValue))" }
    }

    /// What a copy lacks of another one.
    package enum Lack: Hashable, Sendable {
        case nothing
        /// All that the other has behind this one's end.
        case tail
        case obstacle(Obstacle)
    }

    /// The mark of the journal's birth; nil where the region has no copy.
    package var birth: String?
    /// Where it ends by its meta.
    package var last: EntryID
    /// The last ID that its stream gave out.
    package var generated: EntryID
    /// The highest entry that was trimmed.
    package var floor: EntryID
    /// The highest entry that it may lack for ever; zero where it lacks none.
    package var gap: EntryID
    package var isClosed: Bool
    /// Digest of its newest entry; nil where it holds none.
    package var newest: String?

    package init(
        birth: String?, last: EntryID, generated: EntryID, floor: EntryID = .zero, gap: EntryID = .zero,
        isClosed: Bool = false, newest: String? = nil
    ) {
        self.birth = birth
        self.last = last
        self.generated = generated
        self.floor = floor
        self.gap = gap
        self.isClosed = isClosed
        self.newest = newest
    }

    private var isForked: Bool { generated != last }

    package func lack(of other: HeldCopy) -> Lack {
        guard let born = other.birth, self != other else { return .nothing }
        // Where there is no copy one can begin; a stream without a meta is none.
        guard birth == born || birth == nil && !isForked else {
            return .obstacle(birth == nil ? .forked : .otherBirth)
        }
        guard other.last > last || other.isForked || isForked else { return .nothing }
        if isClosed || other.isClosed { return .obstacle(.closed) }
        if isForked || other.isForked { return .obstacle(.forked) }
        return max(other.floor, other.gap) > last ? .obstacle(.trimmed) : .tail
    }

    /// Whether `other`, which has an entry of this digest where this copy ends, or none, goes on from there.
    package func isContinued(by other: HeldCopy, showing digest: String?) -> Bool {
        guard let digest else { return last == .zero || other.floor == last }
        return newest == nil || newest == digest
    }
}
