package import Journal

/// Compares what one copy of a voice journal holds with what the ledger says was acknowledged.
///
/// Feed it the entries from the first to the last, then `finish`. Each is judged by the event's identity, so that an
/// event under a wrong ID, twice, or out of place is told from one that is missing.
package struct LedgerCheck: Sendable {
    /// What was found. All but `matched`, `unrecorded`, `trimmed` and `foreign` must be 0.
    package struct Findings: Hashable, Sendable {
        /// Events that are there once, in place, unaltered.
        package var matched = 0
        /// Acknowledged, and not there.
        package var lost = 0
        /// Of those lost, the ones behind the last entry that is there.
        package var lostTail = 0
        /// There more than once; every repetition counts.
        package var duplicated = 0
        /// There behind an event that was acknowledged under a higher ID, or under another ID than acknowledged.
        package var reordered = 0
        /// There with other content.
        package var altered = 0
        /// There, and produced by nobody.
        package var invented = 0
        /// There, and not in the ledger because no answer came or the producer was killed before it wrote the line.
        package var unrecorded = 0
        /// Acknowledged, not there, and at or below the journal's floor, above which others are there.
        package var trimmed = 0
        /// Entries without an identity: somebody else's.
        package var foreign = 0
        /// Some of the events lost, reordered or altered, for people.
        package var examples: [EntryID] = []

        package init() {}

        package var isClean: Bool { lost + duplicated + reordered + altered + invented == 0 }

        package static func += (left: inout Findings, right: Findings) {
            left.matched += right.matched
            left.lost += right.lost
            left.lostTail += right.lostTail
            left.duplicated += right.duplicated
            left.reordered += right.reordered
            left.altered += right.altered
            left.invented += right.invented
            left.unrecorded += right.unrecorded
            left.trimmed += right.trimmed
            left.foreign += right.foreign
            left.examples += right.examples
        }
    }

    private static let examplesKept = 10

    private let record: Ledger.JournalRecord
    private let openRuns: Set<Int64>
    /// Places in `record.events` by rising identity.
    private let byIdentity: [Int]
    private var seen: [Bool]
    /// By place in the record's events: there once so far, in place, unaltered.
    package private(set) var intact: [Bool]
    /// The last entry of the copy.
    private var last = EntryID.zero
    /// Place behind the furthest event seen.
    private var frontier = 0
    private var findings = Findings()

    /// `openRuns` are the ledger's.
    package init(_ record: Ledger.JournalRecord, openRuns: Set<Int64> = []) {
        self.record = record
        self.openRuns = openRuns
        byIdentity = record.events.indices.sorted { record.events[$0].identity < record.events[$1].identity }
        seen = Array(repeating: false, count: record.events.count)
        intact = seen
    }

    /// The copy holds this entry; nil identity for one that carries none.
    package mutating func entryRead(_ entry: EntryID, _ identity: EventIdentity?, digest: UInt64) {
        last = max(last, entry)
        guard let identity else {
            findings.foreign += 1
            return
        }
        guard let place = place(of: identity) else {
            if record.unanswered.contains(identity) || openRuns.contains(identity.startTime) {
                findings.unrecorded += 1
            } else {
                findings.invented += 1
                example(entry)
            }
            return
        }
        if seen[place] {
            findings.duplicated += 1
            intact[place] = false
            return example(entry)
        }
        seen[place] = true
        let event = record.events[place]
        if event.digest != digest {
            findings.altered += 1
            example(entry)
        } else if place < frontier || event.entry != entry {
            findings.reordered += 1
            example(entry)
        } else {
            findings.matched += 1
            intact[place] = true
        }
        frontier = max(frontier, place + 1)
    }

    /// Everything was read; what is missing at or below `floor` was trimmed, if an event above it is there. A floor that
    /// nothing stands above may be wrong itself.
    package consuming func finish(floor: EntryID = .zero) -> Findings {
        let hasKept = zip(record.events, intact).contains { event, isIntact in isIntact && event.entry > floor }
        for (event, isSeen) in zip(record.events, seen) where !isSeen {
            if hasKept, event.entry <= floor {
                findings.trimmed += 1
            } else {
                findings.lost += 1
                if event.entry > last { findings.lostTail += 1 }
                example(event.entry)
            }
        }
        return findings
    }

    private mutating func example(_ entry: EntryID) {
        if findings.examples.count < LedgerCheck.examplesKept { findings.examples.append(entry) }
    }

    private func place(of identity: EventIdentity) -> Int? {
        // Nearly always it is the next one.
        if frontier < record.events.count, record.events[frontier].identity == identity { return frontier }
        var range = byIdentity.indices
        while let first = range.first {
            let middle = first + range.count / 2
            let found = record.events[byIdentity[middle]].identity
            if found == identity { return byIdentity[middle] }
            range = found < identity ? (middle + 1)..<range.upperBound : first..<middle
        }
        return nil
    }
}
