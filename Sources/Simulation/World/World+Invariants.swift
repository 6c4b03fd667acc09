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

// What must hold, always and in the end.
extension World {
    /// Looks at what came to the streams of a region since it was looked at last: what was born there is noted, and what
    /// is a copy must go on as its journal does.
    mutating func inspect(_ region: Int) {
        inspectCursors(region)
        for origin in regions.indices {
            for journal in shipped(from: origin) {
                guard let stream = regions[region].redis.stream(journal.key) else { continue }
                let seen = regions[region].seen[journal] ?? .zero
                guard stream.generated != seen else { continue }
                regions[region].seen[journal] = stream.generated
                let new = stream.entries(behind: seen, count: .max)
                if origin == region {
                    ledger[journal, default: Ledger()].entries += new
                } else if let written = ledger[journal]?.entries(behind: seen).prefix(new.count),
                    written.elementsEqual(new)
                {
                    continue
                } else {
                    offend("the copy of \(journal) in \(regions[region].name) does not go on as its journal does")
                }
            }
        }
    }

    /// No cursor of a region's projection ever goes back.
    private mutating func inspectCursors(_ region: Int) {
        for tenant in plan.tenants + ["_"] {
            let key = ProjectionKeys.cursors(tenant: tenant)
            let state = regions[region].redis.hash(key)
            for (field, value) in state where field == "provisioning" || field.hasPrefix("voice:") {
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
        tell(words)
        offences.append("\(now): \(words)")
    }
}
