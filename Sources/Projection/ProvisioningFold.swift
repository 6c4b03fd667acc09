package import Journal

/// Folds the provisioning journals of all regions into the state of all tenants: decides which calls to make, in which
/// order, and when a transaction is whole.
///
/// The driver reports what it read and then performs every action that `nextAction()` gives, in order and without waiting
/// for the answers of calls: each call names the cursor and mark that the one before it leaves, so one that fails makes
/// those of its tenant behind it fail too. After a failure the driver begins again with a new fold from the cursors that
/// the server holds.
///
/// A transaction is held in memory until its closing entry is seen, up to a limit. One that is larger is parked: the fold
/// has its closing entry looked up, and once that is there reads the transaction again from where it stopped and applies
/// it in chunks under a mark. So are snapshots and transactions with TRUNCATE.
package struct ProvisioningFold: Sendable {
    package typealias ObjectName = ProvisioningEntry.ObjectName

    package enum Action: Sendable {
        /// Make the tenants known before anything of theirs is applied; go on when that is done.
        case register([String])
        /// Make the call; go on at once.
        case apply(ProvisioningCall)
        /// Read these objects as they are behind all calls so far; answer with `fetched`.
        case fetch([ObjectName])
        /// Take a step of each walk, behind all calls so far; answer with `walked`.
        case walk([ObjectWalk])
        /// Look up the last entry at this position; answer with `located`.
        case locate(JournalName, Position)
        /// Keep the object's name, where its tenant is at the cursor: what it holds is not what PostgreSQL holds.
        case quarantine(ObjectName, Problem, at: TenantCursor)
        /// The object is right again.
        case release(ObjectName, at: TenantCursor)
        /// Say beside the state whether it may be wrong, in the place of what was said before.
        case mark(Staleness?, over: Staleness?)
        /// Say beside the state what was amiss with the journals, in the place of what was said before.
        case note(Inexactness, over: Inexactness)
    }

    /// Why an object could not be projected.
    package enum Problem: String, Hashable, Sendable, CaseIterable {
        /// A patch of an object that is not there.
        case patchWithoutObject
        /// The row of the entry cannot be read.
        case unreadableRow
        /// Its key would be that of an index.
        case keyOfIndex
    }

    /// How much is held and sent at once.
    package struct Limits: Hashable, Sendable {
        /// Objects of one tenant up to which small transactions share a call.
        package var joinedObjects = 256
        /// Objects of a transaction that is applied whole; larger ones go in chunks.
        package var wholeObjects = 1000
        /// Objects of a chunk, which keeps Redis busy for about 2 ms.
        package var chunkObjects = 256
        /// Bytes of a call or chunk beyond which it takes no more objects.
        package var callBytes = 1 << 20
        /// Bytes of an open transaction that are kept in memory.
        package var heldBytes = 4 << 20

        package init() {}
    }

    /// What became of the entries so far. Of those that a fold before this one has taken, what was late, incomplete or
    /// unreadable is not counted again.
    package struct Counts: Hashable, Sendable {
        package var transactions = 0
        package var objects = 0
        /// Transactions at or below what was applied already.
        package var late = 0
        /// Transactions whose journal went on without closing them.
        package var abandoned = 0
        /// Transactions of which entries are missing, by the count in their closing entry.
        package var incomplete = 0
        /// Entries that are no provisioning entries.
        package var unreadable = 0
        package init() {}
    }

    let layouts: IndexLayouts
    let limits: Limits
    var sources: [JournalSource]
    /// Where each known tenant will be when the calls that were given out are done.
    var cursors: [String: TenantCursor]
    /// Calls that may still take transactions, by tenant, and the order in which they began.
    var joined: [String: JoinedCall] = [:]
    var joinedOrder: [String] = []
    var work: [Work] = []
    var chunked: ChunkedRun?
    var isWaiting = false
    var ready: [Action] = []
    /// Objects whose names are kept since they could not be projected.
    package internal(set) var quarantined: Set<ObjectName>
    /// Why the state may differ from what PostgreSQL committed; nil when it does not.
    package internal(set) var staleness: Staleness?
    /// What was amiss with the journals, and what of it was said.
    package internal(set) var inexactness: Inexactness
    var saidInexactness: Inexactness
    var writer = ObjectRowWriter()
    var commitTimes: [Int64] = []

    /// The last transaction that was folded; its call may still take others.
    var folded: Position {
        didSet { if folded.history > oldValue.history { ends.append(oldValue) } }
    }
    /// The last transactions of histories that were left behind, since they were taken.
    private var ends: [Position] = []
    /// The last transaction all of whose actions are in `ready` or were given out.
    var settled: Position
    /// All transactions up to here have been given out whole.
    package private(set) var completed: Position
    package internal(set) var counts = Counts()
    var firstUnreadable: PassedOver?

    /// Begins behind `trailing`, the cursor that trails those of all tenants; `cursors` are the known tenants',
    /// `quarantined` their objects that could not be projected before, `counted` the entries that a fold before this one
    /// has taken, `staleness` and `inexactness` what is marked.
    package init(
        journals: [JournalName], layouts: IndexLayouts, trailing: Position, cursors: [String: TenantCursor],
        quarantined: Set<ObjectName> = [], counted: [JournalName: EntryID] = [:], staleness: Staleness? = nil,
        inexactness: Inexactness = Inexactness(), limits: Limits = Limits()
    ) {
        self.staleness = staleness
        self.inexactness = inexactness
        saidInexactness = inexactness
        self.layouts = layouts
        self.limits = limits
        self.cursors = cursors
        self.quarantined = quarantined
        folded = trailing
        settled = trailing
        completed = trailing
        let last = EntryID(first: trailing.number, second: .max)
        sources = journals.map { JournalSource(journal: $0, taken: last, counted: counted[$0] ?? .zero) }
    }

    /// The last entry of each journal that this fold or one before it has taken.
    package var counted: [JournalName: EntryID] {
        Dictionary(sources.map { ($0.journal, $0.furthest) }, uniquingKeysWith: max)
    }

    /// Where it stands with each journal.
    package var progress: [JournalProgress] {
        sources.map { JournalProgress($0.journal, cursor: $0.taken, folded: $0.takenCount) }
    }

    // MARK: Facts

    /// What stands beside the state by now: others take back what they have put right.
    package mutating func marked(staleness: Staleness?, isInexact: Bool, quarantined: Set<ObjectName>) {
        if staleness == nil { self.staleness = nil }
        if !isInexact, inexactness == saidInexactness {
            inexactness = Inexactness()
            saidInexactness = inexactness
        }
        self.quarantined.formIntersection(quarantined)
    }

    /// Where to read on. Journals whose entries are not folded yet are left out.
    package var wanted: [JournalCursor] {
        sources.filter { $0.isDrained && (chunked == nil || chunked?.journal == $0.journal) }
            .map { JournalCursor($0.journal, behind: $0.cursor) }
    }

    /// A journal was read; what does not continue what was read of it before is dropped. Throws `EntryBatch.Malformed`.
    package mutating func read(_ read: JournalRead) throws {
        guard let index = index(of: read.journal), sources[index].isDrained,
            sources[index].cursor == read.batch.previous
        else { return }
        var entries: [JournalEntry] = []
        entries.reserveCapacity(read.batch.count)
        try read.batch.forEachEntry { entries.append($0) }
        guard sources[index].isParked else { return sources[index].receive(entries) }
        switch sources[index].passParked(entries) {
        case .open: break
        case .closed: beginChunks(index)
        case .abandoned: counts.abandoned += 1
        }
    }

    /// The last entry at the position where the journal is parked, and what stands in its `op` field.
    package mutating func located(_ journal: JournalName, _ last: EntryID, operation: String) {
        guard let index = index(of: journal), sources[index].isParked,
            last.first == sources[index].open?.position.number
        else { return }
        let isClosing = ["commit", "end-snapshot"].contains(operation)
        if case .closed = sources[index].passParked(last, isClosing: isClosing) { beginChunks(index) }
    }

    /// What the server holds of the objects that were to be fetched; those it does not hold are not there.
    package mutating func fetched(_ rows: [ObjectName: StoredRow]) {
        guard isWaiting, let first = work.first else { return }
        isWaiting = false
        switch first {
        case .whole(var transaction):
            transaction.changes = resolve(transaction.changes, at: transaction.position, rows)
            transaction.isResolved = true
            work[0] = .whole(transaction)
        case .chunk(let changes, _):
            guard let position = chunked?.position else { return }
            work[0] = .chunk(resolve(changes, at: position, rows), isResolved: true)
        case .clear, .walk, .finish: break
        }
    }

    /// One answer for each step that was to be taken.
    package mutating func walked(_ answers: [ObjectWalk.Answer]) {
        guard isWaiting, case .walk(var walks) = work.first else { return }
        isWaiting = false
        for (index, answer) in answers.enumerated() where index < walks.count {
            delete(answer.ids, walks[index])
            walks[index].scan = answer.scan
        }
        let rest = walks.enumerated().filter { $0.offset >= answers.count || $0.element.scan != "0" }.map(\.element)
        if rest.isEmpty { work.removeFirst() } else { work[0] = .walk(rest) }
    }

    /// The first entry that was no provisioning entry since the last call.
    package mutating func takeFirstUnreadable() -> PassedOver? {
        defer { firstUnreadable = nil }
        return firstUnreadable
    }

    /// The commit times, µs since 1970, of the transactions given out since the last call.
    package mutating func takeCommitTimes() -> [Int64] {
        defer { commitTimes.removeAll(keepingCapacity: true) }
        return commitTimes
    }

    /// The last transactions that were folded of histories behind which the next one has begun, and that were given out whole
    /// since the last call.
    package mutating func takeEnds() -> [Position] {
        let completed = completed
        defer { ends.removeAll { $0 <= completed } }
        return ends.filter { $0 <= completed }
    }

    // MARK: Actions

    /// The next thing to do, or nil until another fact is reported.
    package mutating func nextAction() -> Action? {
        while ready.isEmpty {
            if isWaiting { return nil }
            if !work.isEmpty {
                perform()
            } else if let index = nextSource() {
                fold(index)
            } else {
                flushJoined()
                sayInexactness()
                guard ready.isEmpty else { continue }
                completed = settled
                return nil
            }
        }
        defer { if ready.isEmpty { completed = settled } }
        return ready.removeFirst()
    }

    func index(of journal: JournalName) -> Int? { sources.firstIndex { $0.journal == journal } }
}
