package import Journal
package import Provisioning

/// Proves of a few objects of one cache that they differ from PostgreSQL, and have them put right: decides what is read
/// when, and what may be written. A value without I/O or clock; `now` is monotonic time from any origin.
///
/// A cache lags behind PostgreSQL, and may be ahead of any snapshot of it, so a difference proves nothing by itself:
///
/// 1. The objects are watched, which gives their digests. Whatever is projected onto one from here on ends its watch.
/// 2. `horizon`: every transaction that the cache may show by now was begun below this transaction ID.
/// 3. The rows are read from a snapshot that no transaction below the horizon is missing from, so that it shows all that
///    the cache showed; behind it the log's end, below which everything that the snapshot shows was committed.
/// 4. The projection is awaited at that end. An object whose watch goes on then would not change any more, though all that
///    made its row was projected: if it differs from its row, nothing will ever mend it.
/// 5. The row is written, in one step with the question whether the watch still goes on, with the log's end as version:
///    what is projected later is newer and replaces it.
package struct RepairRound: Sendable {
    package typealias ObjectName = ProvisioningEntry.ObjectName

    /// An object that may differ.
    package struct Candidate: Hashable, Sendable {
        package let name: ObjectName
        /// Written even if its digest is its row's: something beside its columns, or behind its digest, was found amiss.
        package var isForced: Bool

        package init(_ name: ObjectName, isForced: Bool = false) {
            self.name = name
            self.isForced = isForced
        }
    }

    /// An object as PostgreSQL has it.
    package struct Row: Hashable, Sendable {
        package let digest: ObjectDigest
        /// Columns that are not NULL.
        package let columns: [String: String]

        package init(digest: ObjectDigest, columns: [String: String]) {
            self.digest = digest
            self.columns = columns
        }
    }

    /// What one snapshot of PostgreSQL showed.
    package struct Reading: Sendable {
        /// Every transaction below is over, and shown if it was committed.
        package let oldest: UInt64
        /// The newest history's number.
        package let history: UInt64
        /// The end of the log behind the snapshot.
        package let end: UInt64
        /// The objects that were asked for and are there.
        package let rows: [ObjectName: Row]

        package init(oldest: UInt64, history: UInt64, end: UInt64, rows: [ObjectName: Row]) {
            self.oldest = oldest
            self.history = history
            self.end = end
            self.rows = rows
        }
    }

    /// An object as it is to be; nil is gone.
    package struct Mend: Sendable {
        package let name: ObjectName
        package let row: Row?
    }

    package enum Action: Sendable {
        /// Watch the objects; answer with `watched`.
        case watch([ObjectName])
        /// Ask PostgreSQL for the next transaction ID; answer with `horizonRead`.
        case readHorizon
        /// Read rows from a new snapshot; answer with `rowsRead`.
        case readRows([ObjectName])
        /// Ask where the projection is; answer with `projected`.
        case readCursor
        /// Commit something, so that cursors pass what stands before it; answer with `moved`.
        case move
        /// Write; answer with `mended`.
        case mend([Mend], version: Position)
        /// End watches; answer with `released`.
        case release([ObjectName])
    }

    /// What became of an object.
    package enum Outcome: Hashable, Sendable {
        /// It is as its row.
        case equal
        /// It differed for good, and is as its row now.
        case mended
        /// It differed for good, and still does: the round was not to mend it, or could not.
        case drifted
        /// It changed meanwhile, or could not be judged in time. It is as it was.
        case unsettled
    }

    private enum State: Sendable {
        /// → horizon
        case watching
        /// → reading
        case horizon
        /// The rows are read, again if the snapshot lacks something below the horizon. → awaiting, ended
        case reading(horizon: UInt64)
        /// The projection has not passed the log's end. → mending, ended
        case awaiting(Reading, hasMoved: Bool)
        /// → ended
        case mending([Mend])
        /// Nothing is to be written: which watches still go on is asked by ending them. → ended
        case judging([ObjectName])
        /// Final.
        case ended
    }

    private let candidates: [Candidate]
    private let mends: Bool
    private let patience: Duration
    private let pause: Duration
    private let began: Duration
    private var state = State.watching
    private var cached: [ObjectName: ObjectDigest] = [:]
    private var ready: [Action] = []
    private var retryAt: Duration?
    /// By object, once known.
    package private(set) var outcomes: [ObjectName: Outcome] = [:]
    /// Why objects are unsettled, in words, where there is more to it than traffic.
    package private(set) var trouble: String?

    /// A round over these objects that gives up after `patience`; if it does not mend it only judges.
    package init(
        _ candidates: [Candidate], mends: Bool = true, patience: Duration = .seconds(10),
        pause: Duration = .milliseconds(20), now: Duration
    ) {
        self.candidates = candidates
        self.mends = mends
        self.patience = patience
        self.pause = pause
        began = now
        ready = [.watch(candidates.map(\.name))]
    }

    package var isOver: Bool { if case .ended = state { ready.isEmpty } else { false } }

    /// When to ask for an action again though nothing was reported.
    package var deadline: Duration? { retryAt }

    // MARK: Facts

    /// The objects are watched; these are the digests of those that are there.
    package mutating func watched(_ digests: [ObjectName: ObjectDigest]) {
        guard case .watching = state else { return }
        cached = digests
        state = .horizon
        ready.append(.readHorizon)
    }

    /// The next transaction ID, read behind `watched`.
    package mutating func horizonRead(_ horizon: UInt64) {
        guard case .horizon = state else { return }
        state = .reading(horizon: horizon)
        ready.append(.readRows(candidates.map(\.name)))
    }

    package mutating func rowsRead(_ reading: Reading, now: Duration) {
        guard case .reading(let horizon) = state else { return }
        guard reading.oldest >= horizon else {
            return retry("a transaction has been open for long, and what it will do cannot be known", now: now)
        }
        for candidate in candidates where !candidate.isForced && !differs(candidate.name, in: reading) {
            outcomes[candidate.name] = .equal
        }
        guard outcomes.count < candidates.count else { return end() }
        guard Position(history: reading.history, lsn: reading.end) != nil else {
            return end(because: "history \(reading.history) does not fit a position")
        }
        state = .awaiting(reading, hasMoved: false)
        ready.append(.readCursor)
    }

    /// Where the projection is.
    package mutating func projected(_ cursor: Position, now: Duration) {
        guard case .awaiting(let reading, let hasMoved) = state,
            let goal = Position(history: reading.history, lsn: reading.end)
        else { return }
        guard cursor.history <= reading.history else {
            return end(because: "PostgreSQL is of history \(reading.history), the cache of \(cursor.history)")
        }
        guard cursor >= goal else {
            guard !hasMoved else { return retry("the projection does not follow", now: now) }
            state = .awaiting(reading, hasMoved: true)
            return ready.append(.move)
        }
        let mends = candidates.map(\.name).filter { outcomes[$0] == nil }
            .map { Mend(name: $0, row: reading.rows[$0]) }
        guard self.mends else {
            state = .judging(mends.map(\.name))
            return ready.append(.release(mends.map(\.name)))
        }
        state = .mending(mends)
        // Just below the log's end: no transaction has that position.
        ready.append(.mend(mends, version: Position(number: goal.number - 1)))
    }

    /// Something was committed.
    package mutating func moved() {
        guard case .awaiting = state else { return }
        ready.append(.readCursor)
    }

    /// Which of the objects were written, in the order of the action; nil for one that no cache can hold as it is.
    package mutating func mended(_ written: [Bool?]) {
        guard case .mending(let mends) = state else { return }
        for (mend, isWritten) in zip(mends, written) {
            outcomes[mend.name] = isWritten.map { $0 ? .mended : .unsettled } ?? .drifted
        }
        end()
    }

    /// Which of the objects had not been touched since they were watched, in the order of the action.
    package mutating func released(_ untouched: [Bool]) {
        guard case .judging(let names) = state else { return }
        for (name, isUntouched) in zip(names, untouched) { outcomes[name] = isUntouched ? .drifted : .unsettled }
        end()
    }

    // MARK: Actions

    /// The next thing to do, or nil until another fact is reported or `deadline` has come.
    package mutating func nextAction(now: Duration) -> Action? {
        if let retryAt, now >= retryAt {
            self.retryAt = nil
            switch state {
            case .reading: ready.append(.readRows(candidates.map(\.name)))
            case .awaiting: ready.append(.readCursor)
            default: break
            }
        }
        return ready.isEmpty ? nil : ready.removeFirst()
    }

    private func differs(_ name: ObjectName, in reading: Reading) -> Bool { cached[name] != reading.rows[name]?.digest }

    private mutating func retry(_ trouble: String, now: Duration) {
        guard now - began < patience else { return end(because: trouble) }
        retryAt = now + pause
    }

    private mutating func end(because trouble: String? = nil) {
        self.trouble = trouble
        let watched = candidates.map(\.name).filter { outcomes[$0] == nil || outcomes[$0] == .equal }
        for name in watched where outcomes[name] == nil { outcomes[name] = .unsettled }
        if !watched.isEmpty { ready.append(.release(watched)) }
        state = .ended
    }
}
