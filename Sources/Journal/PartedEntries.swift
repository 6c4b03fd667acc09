/// Entries of a former life of a journal that the present one lacks, as whoever set a copy of that life aside noted it.
///
/// The field `parted` of the journal's meta has a pair `<behind> <through>` for each such copy, the newest first.
package struct PartedEntries: Hashable, Sendable {
    /// The newest entry that both lives have; zero for none.
    package let behind: EntryID
    /// The last entry of the former one.
    package let through: EntryID

    package init(behind: EntryID, through: EntryID) {
        self.behind = behind
        self.through = through
    }

    /// What the field holds; whatever cannot be read is left out.
    package static func all(in text: String?) -> [PartedEntries] {
        let ids = (text ?? "").split(separator: " ").map { EntryID($0) }
        return stride(from: 0, to: ids.count - 1, by: 2).compactMap { index in
            guard let behind = ids[index], let through = ids[index + 1] else { return nil }
            return PartedEntries(behind: behind, through: through)
        }
    }

    /// The field's name in the journal's meta.
    package static let field = "parted"
    /// Pairs that the field has at most.
    package static let limit = 4
}

extension PartedEntries: CustomStringConvertible {
    package var description: String { "\(behind) \(through)" }
}
