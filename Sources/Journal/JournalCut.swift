/// Where a journal ends for the projections, because its region was declared down.
package struct JournalCut: Hashable, Sendable {
    /// The last entry that counts; `.zero` when none does.
    package let last: EntryID
    /// Entries that the survivor's copy had been given by then.
    package let count: UInt64

    package init(last: EntryID, count: UInt64) {
        self.last = last
        self.count = count
    }

    /// Reads `<entry> <count>`.
    package init?(_ text: some StringProtocol) {
        let words = text.split(separator: " ")
        guard words.count == 2, let last = EntryID(words[0]), let count = UInt64(words[1]) else { return nil }
        self.init(last: last, count: count)
    }
}

extension JournalCut: CustomStringConvertible {
    package var description: String { "\(last) \(count)" }
}
