package import Journal

/// A ledger in memory: by journal the events that must be there, and for every object what the last transaction left.
package struct Ledger: Sendable {
    /// An acknowledged event.
    package struct Event: Hashable, Sendable {
        package let entry: EntryID
        package let identity: EventIdentity
        package let digest: UInt64
    }

    /// What a journal must hold.
    package struct JournalRecord: Sendable {
        /// By rising entry ID.
        package internal(set) var events: [Event] = []
        /// Events that may be there or not, since no answer came.
        package internal(set) var unanswered: Set<EventIdentity> = []
    }

    /// How an object must be.
    package enum Expectation: Hashable, Sendable {
        case present(digest: UInt64)
        case deleted
        /// A transaction that touched it was not answered, so either is right.
        case either
    }

    /// By journal key.
    package private(set) var journals: [String: JournalRecord] = [:]
    package private(set) var objects: [ObjectKey: Expectation] = [:]
    /// Transactions that were acknowledged, in order.
    package private(set) var transactions: [(number: Int64, xid: UInt32)] = []
    /// Runs that ended without being closed: their last events may be in journals and not in the ledger.
    package private(set) var openRuns: Set<Int64> = []

    package init() {}

    /// Reads a ledger file into this one. Several files, one a region, may be read one after the other.
    package mutating func read(_ path: String) throws {
        var reader = try LedgerReader(path: path)
        var records: [JournalRecord] = []
        var closedRuns: Set<Int> = []
        while let line = try reader.next() {
            while records.count < reader.journals.count { records.append(JournalRecord()) }
            switch line {
            case .event(let journal, let identity, let entry, let digest):
                records[journal].events.append(Event(entry: entry, identity: identity, digest: digest))
            case .unanswered(let journal, let identity, _):
                records[journal].unanswered.insert(identity)
            case .transaction(let transaction):
                add(transaction)
            case .closed(let firstRun):
                closedRuns.formUnion(firstRun..<reader.runs.count)
            }
        }
        openRuns.formUnion(reader.runs.indices.filter { !closedRuns.contains($0) }.map { reader.runs[$0] })
        for (key, record) in zip(reader.journals, records) {
            var merged = journals.removeValue(forKey: key) ?? JournalRecord()
            merged.events += record.events
            merged.events.sort { $0.entry < $1.entry }
            merged.unanswered.formUnion(record.unanswered)
            journals[key] = merged
        }
    }

    /// Events acknowledged, in all journals.
    package var eventCount: Int { journals.values.reduce(0) { $0 + $1.events.count } }

    private mutating func add(_ transaction: ProducedTransaction) {
        if transaction.isAnswered {
            transactions.append((transaction.number, transaction.xid))
        }
        for object in transaction.touched {
            objects[object.name] =
                transaction.isAnswered ? object.digest.map { .present(digest: $0) } ?? .deleted : .either
        }
    }
}
