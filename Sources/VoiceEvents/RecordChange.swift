/// What to write so that a flat hash holds a record as it is now: fields to set and fields to remove.
package struct RecordChange: Sendable {
    package private(set) var set: [(String, String)] = []
    package private(set) var removed: [String] = []

    package var isEmpty: Bool { self.set.isEmpty && removed.isEmpty }

    init() {}

    mutating func text(_ name: String, _ old: String?, _ new: String?) {
        guard old != new else { return }
        if let new { set.append((name, new)) } else { removed.append(name) }
    }

    mutating func integer(_ name: String, _ old: Int64?, _ new: Int64?) {
        guard old != new else { return }
        if let new { set.append((name, String(new))) } else { removed.append(name) }
    }

    mutating func remove(_ name: String) { removed.append(name) }
}

/// A stored record that cannot be read back: this field is missing or holds what was never written.
package struct UnreadableRecord: Error, Hashable, Sendable {
    package let field: String

    package init(field: String) { self.field = field }
}
