internal import Journal
internal import Projection

/// What was ever written to a journal in its region of birth, in order.
struct Ledger: Sendable {
    var entries: [SimulatedStream.Entry] = []

    /// The entries behind `id`.
    func entries(behind id: EntryID) -> ArraySlice<SimulatedStream.Entry> {
        entries[(entries.lastIndex { $0.id <= id }.map { $0 + 1 } ?? 0)...]
    }
}

/// A journal that is mirrored.
struct Watched {
    /// The region of birth.
    let origin: Int
    let journal: JournalName
    let key: String
}

// What must hold, always and in the end.
extension World {
    /// Looks at what came to the streams of a region since it was looked at last: what was born there is noted, and what
    /// is a copy must go on as its journal does.
    mutating func inspect(_ region: Int) {
        inspectCursors(region)
        for watched in journals {
            guard let stream = regions[region].redis.stream(watched.key) else { continue }
            let seen = regions[region].seen[watched.journal] ?? .zero
            guard stream.generated != seen else { continue }
            regions[region].seen[watched.journal] = stream.generated
            let new = stream.entries(behind: seen, count: .max)
            if watched.origin == region {
                ledger[watched.journal, default: Ledger()].entries += new
            } else if losses > 0 {
                continue  // what a journal lost and what came instead is told apart in the end
            } else {
                let written = ledger[watched.journal]?.entries(behind: seen) ?? []
                guard !(trims > 0 ? Self.isPart(new, of: written) : written.prefix(new.count).elementsEqual(new))
                else { continue }
                offend("the copy of \(watched.key) in \(regions[region].name) does not go on as its journal does")
            }
        }
    }

    /// The entries are among those written, in their order.
    private static func isPart(
        _ entries: ArraySlice<SimulatedStream.Entry>, of written: ArraySlice<SimulatedStream.Entry>
    ) -> Bool {
        var rest = entries
        for entry in written where entry == rest.first { rest.removeFirst() }
        return rest.isEmpty
    }

    /// No cursor of a region's projection ever goes back.
    private mutating func inspectCursors(_ region: Int) {
        for (tenant, key) in cursorKeys {
            let state = regions[region].redis.hash(key)
            // Where a journal's history forks, its cursor may go back.
            for (field, value) in state where field == "provisioning" || losses == 0 && field.hasPrefix("voice:") {
                let name = "\(tenant) \(field)"
                let now = EntryID(value) ?? EntryID(first: UInt64(value) ?? 0, second: 0)
                if let before = regions[region].cursors[name], now < before {
                    offend("cursor \(name) of \(regions[region].name) went back from \(before) to \(now)")
                }
                regions[region].cursors[name] = now
            }
        }
    }

    mutating func offend(_ words: String) {
        say(words)
        offences.append("\(now): \(words)")
    }
}
