internal import Journal
internal import NIOCore
internal import Traffic

/// Compares the transactions that a region's provisioning journals close with those that PostgreSQL acknowledged.
///
/// A snapshot stands for every transaction before it: those of the ledger between the last one that was closed before it
/// and the first one closed behind it need no entry of their own.
package struct TransactionTally {
    /// What was found; `lost` and `duplicated` must be 0.
    package struct Findings: Hashable, Sendable {
        /// Closed once.
        package internal(set) var matched = 0
        /// Part of a snapshot.
        package internal(set) var inSnapshot = 0
        /// Not closed, before the first that is, and the journal was trimmed below that one: nobody can tell.
        package internal(set) var trimmed = 0
        /// Acknowledged, not closed.
        package internal(set) var lost = 0
        /// Closed more than once; every repetition counts.
        package internal(set) var duplicated = 0

        init() {}
    }

    /// Place in the ledger by transaction ID.
    private let places: [UInt32: Int]
    private let count: Int
    /// Closed transactions of the ledger, and snapshots (nil), by entry.
    private var closings: [(id: EntryID, place: Int?)] = []
    private var floor = EntryID.zero

    init(_ ledger: Ledger) {
        let known = ledger.transactions.filter { $0.xid != 0 }
        places = Dictionary(known.enumerated().map { ($1.xid, $0) }, uniquingKeysWith: { first, _ in first })
        count = known.count
    }

    /// A journal was trimmed up to here.
    mutating func floorRead(_ floor: EntryID) {
        self.floor = max(self.floor, floor)
    }

    /// A journal holds this entry; others than those that close something are passed over.
    mutating func entryRead(_ entry: JournalEntry) {
        guard let operation = entry.value(of: "op") else { return }
        if operation.elementsEqual(ProvisioningEntry.Operation.endSnapshot.rawValue.utf8) {
            closings.append((entry.id, nil))
        } else if operation.elementsEqual(ProvisioningEntry.Operation.commit.rawValue.utf8),
            let xid = entry.value(of: "xid").flatMap({ UInt32(String(decoding: $0, as: UTF8.self)) }),
            let place = places[xid]
        {
            closings.append((entry.id, place))
        }
    }

    /// Everything was read.
    consuming func finish() -> Findings {
        var findings = Findings()
        var closed = Array(repeating: false, count: count)
        var covered = Array(repeating: false, count: count)
        var next = 0
        var coveredFrom: Int?
        for (_, place) in closings.sorted(by: { $0.id < $1.id }) {
            guard let place else {
                coveredFrom = coveredFrom ?? next
                continue
            }
            if let start = coveredFrom, start < place { for index in start..<place { covered[index] = true } }
            coveredFrom = nil
            if closed[place] { findings.duplicated += 1 }
            closed[place] = true
            next = max(next, place + 1)
        }
        if let start = coveredFrom, start < count { for index in start..<count { covered[index] = true } }
        let kept = closings.filter { $0.place != nil && $0.id > floor }.compactMap(\.place)
        let firstKept = floor > .zero ? kept.min() ?? 0 : 0
        for place in 0..<count {
            if closed[place] {
                findings.matched += 1
            } else if covered[place] {
                findings.inSnapshot += 1
            } else if place < firstKept {
                findings.trimmed += 1
            } else {
                findings.lost += 1
            }
        }
        return findings
    }
}
