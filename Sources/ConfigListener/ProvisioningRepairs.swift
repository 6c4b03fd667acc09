internal import Journal

/// Types of which objects were put right in this region's state without any journal telling of it. A value.
///
/// Who was told of such an object before has to read all of its type anew.
struct ProvisioningRepairs: Sendable {
    private struct Repair: Sendable {
        let number: Int
        /// Up to there provisioning was projected when it was over.
        let place: EntryID
    }

    /// How many there have been.
    private(set) var count = 0
    /// The last one of each type.
    private var last: [String: Repair] = [:]

    mutating func repaired(_ type: String, at place: EntryID) {
        count += 1
        last[type] = Repair(number: count, place: place)
    }

    /// One of these types, or of all, that was repaired when there had been more repairs than so many; nil for none.
    func repaired(_ types: Set<String>?, since count: Int) -> String? {
        last.first { type, repair in repair.number > count && Self.has(type, types) }?.key
    }

    /// Whether one of these types, or of all, was repaired when more than this was projected.
    func hasRepaired(_ types: Set<String>?, behind place: EntryID) -> Bool {
        last.contains { type, repair in repair.place > place && Self.has(type, types) }
    }

    private static func has(_ type: String, _ types: Set<String>?) -> Bool { types?.contains(type) ?? true }
}
