internal import Journal
internal import NIOCore

/// Reads a stretch of all regions' provisioning journals, every position of which is projected, and tells in rising position
/// what watchers are to know. A value without I/O: it says what it needs and is given that.
///
/// - Transactions and snapshots that were never closed, as at the end of a history, are passed over.
/// - A `put` is ObjectUpdated, also one of a snapshot that names what differed; `insert` is ObjectCreated. A patch tells
///   the columns that the log has.
/// - A whole snapshot does not name what is gone, and `truncate` names nothing: whoever keeps objects has to read them anew.
/// - A snapshot that is due changes nothing.
struct ProvisioningReading: Sendable {
    enum Step: Hashable, Sendable {
        case event(ProvisioningEvent)
        /// Objects of the type, or of any, are not what they were, and it is not said which.
        case reload(Position, type: String?)
        /// The transaction at this position is over.
        case closed(Position)
        /// Read behind these cursors; answer with `received`.
        case read([JournalCursor])
        /// Look up the last entry at this position; answer with `located`.
        case locate(JournalName, Position)
        /// Everything that is there was told.
        case end
    }

    fileprivate struct Source: Sendable {
        let journal: JournalName
        /// The last entry that was received or passed over.
        var last: EntryID
        var inbox: ArraySlice<JournalEntry> = []
        /// Nothing more of the stretch is behind the inbox.
        var isAtEnd = false
        /// The position that is told, because it is closed.
        var told: Position?
    }

    fileprivate enum Fate {
        case closed, abandoned, unknown
    }

    let bound: Position
    private var sources: [Source]
    /// Up to here everything was told.
    private(set) var place: EntryID
    /// At the end: the transaction at the bound was not there, although it was projected once.
    var isCut: Bool { place < bound.lastEntryID }

    /// Begins behind `place` and ends with the transaction at `bound`.
    init(_ journals: [JournalName], behind place: EntryID, upTo bound: Position) {
        self.bound = bound
        self.place = place
        sources = journals.map { Source(journal: $0, last: place) }
    }

    // MARK: Facts

    /// What the last `read` gave; journals without anything are at their ends.
    ///
    /// - Throws: `EntryBatch.Malformed`.
    mutating func received(_ reads: [JournalRead]) throws {
        for index in sources.indices where sources[index].needsRead {
            let source = sources[index]
            guard let read = reads.first(where: { $0.journal == source.journal }),
                read.batch.previous == source.last, read.batch.last > source.last
            else {
                sources[index].isAtEnd = true
                continue
            }
            var entries: [JournalEntry] = []
            var closesBound = false
            try read.batch.forEachEntry { entry in
                guard entry.id.first <= bound.number else { return }
                entries.append(entry)
                closesBound = entry.id.first == bound.number && entry.isClosing
            }
            sources[index].last = read.batch.last
            sources[index].isAtEnd = closesBound || read.batch.last.first > bound.number
            sources[index].inbox = entries[...]
        }
    }

    /// Whether the last entry at the position that was to be looked up closes what stands there.
    mutating func located(_ journal: JournalName, _ position: Position, isClosing: Bool) {
        guard let index = sources.firstIndex(where: { $0.journal == journal }) else { return }
        if isClosing { sources[index].told = position } else { sources[index].pass(position) }
    }

    // MARK: Steps

    /// What is told next, or needed first. Asked again without an answer it says the same.
    mutating func next() -> Step {
        while true {
            let needed = sources.filter(\.needsRead).map { JournalCursor($0.journal, behind: $0.last) }
            guard needed.isEmpty else { return .read(needed) }
            guard let index = lowest() else { return .end }
            if let step = take(index) { return step }
        }
    }

    /// The journal whose next entry stands first.
    private func lowest() -> Int? {
        var lowest: (index: Int, id: EntryID)?
        for (index, source) in sources.enumerated() {
            guard let id = source.inbox.first?.id, lowest.map({ id < $0.id }) ?? true else { continue }
            lowest = (index, id)
        }
        return lowest?.index
    }

    private mutating func take(_ index: Int) -> Step? {
        guard let entry = sources[index].inbox.first else { return nil }
        let position = Position(number: entry.id.first)
        if sources[index].told != position {
            switch sources[index].fate(of: position) {
            case .closed: sources[index].told = position
            case .unknown: return .locate(sources[index].journal, position)
            case .abandoned:
                sources[index].pass(position)
                return nil
            }
        }
        _ = sources[index].inbox.popFirst()
        place = max(place, entry.id)
        guard let change = try? ProvisioningEntry(entry) else {
            guard entry.isClosing else { return nil }
            place = max(place, position.lastEntryID)
            return .closed(position)
        }
        switch change {
        case .put(let name, let data), .patch(let name, let data):
            return .event(ProvisioningEvent(id: entry.id, kind: .updated, name: name, data: data))
        case .insert(let name, let data):
            return .event(ProvisioningEvent(id: entry.id, kind: .created, name: name, data: data))
        case .delete(let name):
            return .event(ProvisioningEvent(id: entry.id, kind: .deleted, name: name, data: nil))
        case .truncate(let type): return .reload(position, type: type)
        case .beginSnapshot(.whole):
            sources[index].pass(position)
            place = max(place, position.lastEntryID)
            return .reload(position, type: nil)
        case .beginSnapshot: return nil
        case .commit, .endSnapshot:
            place = max(place, position.lastEntryID)
            return .closed(position)
        }
    }
}

extension ProvisioningReading.Source {
    fileprivate var needsRead: Bool { inbox.isEmpty && !isAtEnd }

    /// Whether what stands at the position of the next entry is ever closed.
    fileprivate func fate(of position: Position) -> ProvisioningReading.Fate {
        for entry in inbox {
            guard entry.id.first == position.number else { return .abandoned }
            if entry.isClosing { return .closed }
        }
        return isAtEnd ? .abandoned : .unknown
    }

    /// Leaves out what is left of a position.
    fileprivate mutating func pass(_ position: Position) {
        inbox = inbox.drop { $0.id.first == position.number }
        last = max(last, position.lastEntryID)
    }
}

extension JournalEntry {
    /// Whether it closes a transaction or a snapshot.
    fileprivate var isClosing: Bool {
        guard let word = value(of: "op") else { return false }
        return word.elementsEqual("commit".utf8) || word.elementsEqual("end-snapshot".utf8)
    }
}
