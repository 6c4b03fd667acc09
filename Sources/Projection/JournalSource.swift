internal import Journal

/// One provisioning journal as the fold reads it.
struct JournalSource: Sendable {
    /// A transaction or snapshot whose closing entry was not folded yet.
    struct Open: Sendable {
        let position: Position
        var changes: [ProvisioningChange] = []
        var byteCount = 0
        /// Entries so far, readable or not.
        var entries: UInt64 = 0
        /// Cannot be applied in one call whatever its size: a whole snapshot, or one with TRUNCATE.
        var needsChunks = false
        var snapshot: ProvisioningEntry.Snapshot?
    }

    /// What became of a parked transaction.
    enum Parked {
        case open, closed, abandoned
    }

    let journal: JournalName
    private var inbox: [JournalEntry] = []
    private var next = 0
    /// The last entry that was folded.
    private(set) var taken: EntryID
    /// Entries folded so far.
    private(set) var takenCount: UInt64 = 0
    /// The last entry that a fold before this one has taken; what is wrong up to here was counted by it.
    private let counted: EntryID
    /// While parked, the last entry that was looked at and found not to close the transaction.
    private var passed: EntryID?
    var open: Open?

    init(journal: JournalName, taken: EntryID, counted: EntryID = .zero) {
        self.journal = journal
        self.taken = taken
        self.counted = counted
    }

    /// The last entry that this fold or one before it has taken.
    var furthest: EntryID { max(taken, counted) }

    /// No fold before this one has taken the entry that was taken last.
    var isFirstSight: Bool { taken > counted }

    /// Everything received was folded.
    var isDrained: Bool { next == inbox.count }

    var isParked: Bool { passed != nil }

    /// Where to read on.
    var cursor: EntryID { passed ?? taken }

    /// Position of the next entry; nil when drained.
    var head: Position? { isDrained ? nil : Position(number: inbox[next].id.first) }

    /// Takes entries to fold.
    mutating func receive(_ entries: [JournalEntry]) {
        inbox = entries
        next = 0
    }

    /// The next entry to fold.
    mutating func take() -> JournalEntry? {
        guard next < inbox.count else { return nil }
        let entry = inbox[next]
        next += 1
        taken = entry.id
        takenCount += 1
        if next == inbox.count { receive([]) }
        return entry
    }

    /// Whether what was received closes the open transaction; nil when it neither closes nor abandons it.
    func closesOpen() -> Bool? {
        guard let open else { return nil }
        for entry in inbox[next...] {
            if entry.id.first != open.position.number { return false }
            if entry.isClosing { return true }
        }
        return nil
    }

    /// Stops folding until the open transaction's closing entry is seen; forgets what was received and not folded.
    mutating func park() {
        receive([])
        passed = taken
    }

    /// Looks for the closing entry in what was read. When it is there, reading goes on where folding stopped; when the
    /// journal went on without it, the transaction is forgotten.
    mutating func passParked(_ entries: [JournalEntry]) -> Parked {
        guard let position = open?.position, passed != nil else { return .open }
        for (index, entry) in entries.enumerated() {
            if entry.id.first != position.number {
                open = nil
                passed = nil
                receive(Array(entries[index...]))
                return .abandoned
            }
            if case .closed = passParked(entry.id, isClosing: entry.isClosing) { return .closed }
        }
        return .open
    }

    /// The same for one entry of the open transaction.
    mutating func passParked(_ id: EntryID, isClosing: Bool) -> Parked {
        passed = isClosing ? nil : max(id, passed ?? id)
        return isClosing ? .closed : .open
    }
}

extension JournalEntry {
    /// Whether it closes a transaction or a snapshot.
    fileprivate var isClosing: Bool {
        guard let word = value(of: "op") else { return false }
        return word.elementsEqual("commit".utf8) || word.elementsEqual("end-snapshot".utf8)
    }
}
