internal import Journal

/// Entries that a journal had and has no more, though nobody removed them: its Redis was set back. Who has one of them has
/// not got what came in their place.
struct LostEntries: Hashable, Sendable {
    /// The last entry before them.
    private(set) var end: EntryID
    /// The last of them.
    let last: EntryID

    /// All there could be behind `end`.
    init(behind end: EntryID, through last: EntryID = EntryID(first: .max, second: .max)) {
        self.end = end
        self.last = last
    }

    var isEmpty: Bool { end >= last }

    func contains(_ id: EntryID) -> Bool { id > end && id <= last }

    /// Entries came that may have the IDs of lost ones.
    mutating func came(_ chunk: EntryChunk) {
        guard let first = chunk.first, first <= last else { return }
        end = max(end, chunk.last)
    }
}
