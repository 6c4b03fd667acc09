internal import Journal

/// That a region counts as down, as the field `ProjectionKeys.down` holds it: `<history> <entry>` where it was declared in
/// this region, `<history> <region> <entry>` where another region's control journal says so.
struct RegionDownNote: Hashable, Sendable {
    /// In which the survivor captures; a later incident has a higher one.
    let history: UInt64
    /// Whose control journal has the entry; nil: this region's own.
    let origin: String?
    /// The declaration.
    let entry: EntryID

    init(_ down: RegionDown, in origin: String) {
        history = down.history
        self.origin = origin
        entry = down.entry
    }

    /// Nil for anything else.
    init?(_ text: String) {
        let words = text.split(separator: " ")
        guard words.count == 2 || words.count == 3, let history = UInt64(words[0]),
            let entry = EntryID(words[words.count - 1])
        else { return nil }
        self.history = history
        origin = words.count == 3 ? String(words[1]) : nil
        self.entry = entry
    }
}

extension RegionDownNote: CustomStringConvertible {
    var description: String { "\(history) \(origin.map { "\($0) " } ?? "")\(entry)" }
}
