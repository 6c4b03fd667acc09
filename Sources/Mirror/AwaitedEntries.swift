package import Journal

/// Entries that somebody waits for until a peer holds them. A value; who waits is known by a number.
package struct AwaitedEntries: Sendable {
    /// One journal's part of a wait.
    private struct Mark: Comparable {
        let entry: EntryID
        let wait: Int

        static func < (left: Mark, right: Mark) -> Bool { (left.entry, left.wait) < (right.entry, right.wait) }
    }

    /// What of each journal is waited for, the lowest entry first.
    private var marks: [JournalName: [Mark]] = [:]
    /// What each wait still lacks; never empty.
    private var missing: [Int: [JournalName: EntryID]] = [:]

    package init() {}

    /// Whether nobody waits.
    package var isEmpty: Bool { missing.isEmpty }

    /// `wait`, a number not in use, begins: the peer does not hold any of these entries, one at least, yet.
    package mutating func began(_ wait: Int, for entries: [JournalName: EntryID]) {
        missing[wait] = entries
        for (journal, entry) in entries {
            let mark = Mark(entry: entry, wait: wait)
            let place = Self.place(of: mark, in: marks[journal] ?? [])
            marks[journal, default: []].insert(mark, at: place)
        }
    }

    /// The peer holds a journal up to an entry. Gives the waits that are over by that, the one for the lowest entry first.
    package mutating func acknowledged(_ journal: JournalName, upTo entry: EntryID) -> [Int] {
        guard let waiting = marks[journal], let lowest = waiting.first, lowest.entry <= entry else { return [] }
        let held = waiting.prefix(while: { $0.entry <= entry })
        marks[journal] = held.count == waiting.count ? nil : Array(waiting.dropFirst(held.count))
        var over: [Int] = []
        for mark in held {
            missing[mark.wait]?[journal] = nil
            guard missing[mark.wait]?.isEmpty == true else { continue }
            missing[mark.wait] = nil
            over.append(mark.wait)
        }
        return over
    }

    /// The peer may never hold what a journal has behind one entry and through another. Gives the waits for those, which
    /// are over.
    package mutating func lost(_ journal: JournalName, behind: EntryID, through: EntryID) -> [Int] {
        let over = (marks[journal] ?? []).filter { behind < $0.entry && $0.entry <= through }.map(\.wait)
        for wait in over { _ = gaveUp(wait) }
        return over
    }

    /// Nobody waits for `wait` any more. Answers whether it was not over.
    package mutating func gaveUp(_ wait: Int) -> Bool {
        guard let lacking = missing.removeValue(forKey: wait) else { return false }
        for (journal, entry) in lacking {
            let mark = Mark(entry: entry, wait: wait)
            guard var waiting = marks.removeValue(forKey: journal) else { continue }
            let place = Self.place(of: mark, in: waiting)
            if place < waiting.count, waiting[place] == mark { waiting.remove(at: place) }
            if !waiting.isEmpty { marks[journal] = waiting }
        }
        return true
    }

    /// Where the mark stands among others, or would.
    private static func place(of mark: Mark, in marks: [Mark]) -> Int {
        var (low, high) = (0, marks.count)
        while low < high {
            let middle = low + (high - low) / 2
            if marks[middle] < mark { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
