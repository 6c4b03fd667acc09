package import Journal
internal import NIOCore
internal import RedisClient

/// Compares a journal with one of its copies, entry by entry: IDs, order, bytes.
struct JournalComparison {
    private let journal: JournalName
    private let source: RegionServer
    private let copy: RegionServer
    private(set) var findings: JournalFindings
    /// Differences to be told apart at the end, and how each entry's content hashes.
    private var lacking: [Difference] = []
    private var added: [Difference] = []
    private var changed: [(id: EntryID, source: Int, copy: Int)] = []

    private struct Difference {
        let id: EntryID
        let content: Int
    }

    /// More differences than this are counted and not told apart.
    private static let limit = 100_000

    init(_ journal: JournalName, source: RegionServer, copy: RegionServer) {
        self.journal = journal
        self.source = source
        self.copy = copy
        findings = JournalFindings(journal: journal, copy: copy.name)
    }

    /// Compares what stands behind both floors, up to `end`, where the journal ended when the comparison began, and looks
    /// whether the copy has more than the journal.
    mutating func run(_ sourceEnd: JournalEnd, _ copyEnd: JournalEnd) async throws {
        findings.lost = sourceEnd.missed[copy.name] ?? 0
        let floor = max(sourceEnd.floor, copyEnd.floor)
        let end = sourceEnd.last ?? .zero
        if end > floor { try await compare(behind: floor, through: end) }
        // The copy first: what it has then, the journal has now.
        let copy = copy
        try await copy.forEachPage(of: journal, behind: max(end, floor)) { page in
            guard let last = page.last else { return }
            let cursor = try firstID(of: page).previous
            let own = try await source.page(of: journal, behind: cursor, through: last, count: page.entries.count)
            if own.wire != page.wire { try merge(own, page, through: last, ignoringLacking: true) }
        }
        // Either side may have been trimmed meanwhile.
        let now = (try await source.ends(of: [journal])[0], try await copy.ends(of: [journal])[0])
        forget(through: max(floor, now.0.floor, now.1.floor))
        try await tellApart(copyLast: now.1.last ?? .zero)
    }

    /// Differences up to `floor` are none.
    private mutating func forget(through floor: EntryID) {
        lacking.removeAll { $0.id <= floor }
        added.removeAll { $0.id <= floor }
        changed.removeAll { $0.id <= floor }
    }

    private mutating func compare(behind floor: EntryID, through end: EntryID) async throws {
        var cursor = floor
        var size = PageSize()
        while cursor < end {
            let (behind, count) = (cursor, size.count)
            async let own = source.page(of: journal, behind: behind, through: end, count: count)
            async let copied = copy.page(of: journal, behind: behind, through: end, count: count)
            let (left, right) = try await (own, copied)
            if left.wire == right.wire {
                findings.entries += left.entries.count
                findings.equal += left.entries.count
                guard let last = left.last, !left.isWhole else { return }
                cursor = last
            } else {
                let horizon = min(
                    left.isWhole ? end : left.last ?? end, right.isWhole ? end : right.last ?? end)
                try merge(left, right, through: horizon)
                cursor = horizon
            }
            size.fit(left)
        }
    }

    private func firstID(of page: JournalPage) throws -> EntryID {
        page.entries.firstID.flatMap { EntryID(ascii: $0.readableBytesView) } ?? .zero
    }

    /// Walks two pages by rising ID, up to `horizon`.
    private mutating func merge(
        _ own: JournalPage, _ copied: JournalPage, through horizon: EntryID, ignoringLacking: Bool = false
    ) throws {
        var left: [JournalEntry] = []
        var right: [JournalEntry] = []
        try own.forEachEntry { if $0.id <= horizon { left.append($0) } }
        try copied.forEachEntry { if $0.id <= horizon { right.append($0) } }
        var (i, j) = (0, 0)
        if !ignoringLacking { findings.entries += left.count }
        while i < left.count || j < right.count {
            if j == right.count || (i < left.count && left[i].id < right[j].id) {
                if !ignoringLacking, !Self.note(left[i], in: &lacking) { findings.missing += 1 }
                i += 1
            } else if i == left.count || right[j].id < left[i].id {
                if !Self.note(right[j], in: &added) { findings.invented += 1 }
                j += 1
            } else {
                if left[i].strings == right[j].strings {
                    if !ignoringLacking { findings.equal += 1 }
                } else if changed.count < Self.limit {
                    changed.append((left[i].id, left[i].strings.hashValue, right[j].strings.hashValue))
                } else {
                    findings.altered += 1
                }
                i += 1
                j += 1
            }
        }
    }

    /// False when there are too many to be told apart.
    private static func note(_ entry: JournalEntry, in differences: inout [Difference]) -> Bool {
        guard differences.count < limit else { return false }
        differences.append(Difference(id: entry.id, content: entry.strings.hashValue))
        return true
    }

    // MARK: Telling apart

    /// An entry that is lacking in its place and there in another was reordered; what was added and stands in the journal
    /// as well is there twice; what lies behind the copy's last entry has not arrived.
    private mutating func tellApart(copyLast: EntryID) async throws {
        var displaced: [Int: Int] = [:]
        for difference in lacking { displaced[difference.content, default: 0] += 1 }
        for difference in changed { displaced[difference.source, default: 0] += 1 }
        var moved: [Int: Int] = [:]
        func isDisplaced(_ content: Int) -> Bool {
            guard let count = displaced[content], count > 0 else { return false }
            displaced[content] = count - 1
            moved[content, default: 0] += 1
            return true
        }
        for difference in changed {
            if isDisplaced(difference.copy) { findings.reordered += 1 } else { findings.altered += 1 }
            findings.note(difference.id)
        }
        let remaining = added.filter { difference in
            guard isDisplaced(difference.content) else { return true }
            findings.reordered += 1
            findings.note(difference.id)
            return false
        }
        for difference in lacking {
            if let count = moved[difference.content], count > 0 {
                moved[difference.content] = count - 1
            } else if difference.id > copyLast {
                findings.behind += 1
            } else {
                findings.missing += 1
                findings.note(difference.id)
            }
        }
        try await tellTwins(remaining)
    }

    /// Reads the journal once more for contents that the copy has under another ID.
    private mutating func tellTwins(_ strangers: [Difference]) async throws {
        guard !strangers.isEmpty else { return }
        let wanted = Set(strangers.map(\.content))
        var held: Set<Int> = []
        try await source.forEachPage(of: journal) { page in
            try page.forEachEntry { entry in
                let content = entry.strings.hashValue
                if wanted.contains(content) { held.insert(content) }
            }
        }
        for stranger in strangers {
            if held.contains(stranger.content) { findings.duplicated += 1 } else { findings.invented += 1 }
            findings.note(stranger.id)
        }
    }
}

/// How a copy of a journal compares with the journal.
package struct JournalFindings: Hashable, Sendable {
    package let journal: JournalName
    /// The region whose copy it is.
    package let copy: String
    /// Entries of the journal that were compared.
    package internal(set) var entries = 0
    /// Those that stand in the copy in the same place with the same bytes.
    package internal(set) var equal = 0
    /// In the journal and not in the copy.
    package internal(set) var missing = 0
    /// In the journal, and beyond the copy's end when time was up.
    package internal(set) var behind = 0
    /// In the copy under another ID than in the journal.
    package internal(set) var reordered = 0
    /// In the copy twice, once under an ID that the journal does not have.
    package internal(set) var duplicated = 0
    /// Under the same ID with other bytes.
    package internal(set) var altered = 0
    /// In the copy and not in the journal.
    package internal(set) var invented = 0
    /// Gone from the journal before the copy had them, by the word of the link between the two.
    package internal(set) var lost = 0
    /// Some IDs at which the two differ.
    package private(set) var examples: [EntryID] = []

    init(journal: JournalName, copy: String) {
        self.journal = journal
        self.copy = copy
    }

    /// Whether the copy is what is left of the journal.
    package var isEqual: Bool { missing + behind + reordered + duplicated + altered + invented == 0 }

    mutating func note(_ id: EntryID) {
        if examples.count < 5 { examples.append(id) }
    }
}

extension EntryID {
    /// The ID before this one.
    fileprivate var previous: EntryID {
        second > 0
            ? EntryID(first: first, second: second - 1)
            : EntryID(first: first == 0 ? 0 : first - 1, second: first == 0 ? 0 : .max)
    }
}
