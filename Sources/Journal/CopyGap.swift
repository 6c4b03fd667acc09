/// What a copy will never have of its journal, as its owner's link notes it beside the copy before it appends anything
/// behind the gap: `<entries> <through>` in the meta's field `missed:<region of the copy>`.
package struct CopyGap: Hashable, Sendable {
    /// Entries up to the copy's cursor that left the journal before the copy had them; 0 says that it has all.
    package let missed: UInt64
    /// None of them stands above this entry.
    package let through: EntryID

    package init(missed: UInt64, through: EntryID) {
        self.missed = missed
        self.through = through
    }

    /// Nil for anything else.
    package init?(_ text: some StringProtocol) {
        let words = text.split(separator: " ")
        guard words.count == 2, let missed = UInt64(words[0]), let through = EntryID(words[1]) else { return nil }
        self.init(missed: missed, through: through)
    }

    /// The field of the copy's meta.
    package static func field(in region: String) -> String { "missed:\(region)" }
}

extension CopyGap: CustomStringConvertible {
    package var description: String { "\(missed) \(through)" }
}
