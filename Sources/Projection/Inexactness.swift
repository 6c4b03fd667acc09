internal import Journal

/// What was amiss with the journals that a cache was folded from, so that it may lack what PostgreSQL committed: the field
/// `inexact` beside the cursor that trails all tenants', a word `<cause>:<times>:<last entry>` a cause.
///
/// It outlives the worker that saw it, and ends with a whole snapshot, or with a verification that finds all equal.
package struct Inexactness: Hashable, Sendable {
    enum Cause: String, CaseIterable, Sendable {
        /// Entries of a transaction or snapshot are gone from its journal.
        case incomplete
        /// Entries that are no provisioning entries were passed over.
        case unreadable
        /// A transaction came when later ones were there already, and was passed over.
        case late
    }

    private struct Tally: Hashable, Sendable {
        var times: UInt64
        var last: EntryID
    }

    /// The field's name in `ProjectionKeys.trailing`.
    package static let field = "inexact"

    private var tallies: [Cause: Tally] = [:]

    /// Nothing is amiss.
    package init() {}

    /// As the field holds it; a word that is none of ours is passed over.
    package init(_ text: String) {
        for word in text.split(separator: " ") {
            let parts = word.split(separator: ":")
            guard parts.count == 3, let cause = Cause(rawValue: String(parts[0])), let times = UInt64(parts[1]),
                let last = EntryID(parts[2])
            else { continue }
            tallies[cause] = Tally(times: times, last: last)
        }
    }

    package var isEmpty: Bool { tallies.isEmpty }

    /// In words, one phrase a cause.
    package var reasons: [String] {
        Cause.allCases.compactMap { cause -> String? in
            guard let times = tallies[cause]?.times else { return nil }
            return switch cause {
            case .incomplete: "\(times) transactions with missing entries"
            case .unreadable: "\(times) entries unreadable"
            case .late: "\(times) transactions too late"
            }
        }
    }

    /// Counts a cause met at an entry. Positions rise, and what is read again was counted; but for what comes late.
    mutating func insert(_ cause: Cause, at entry: EntryID) {
        var tally = tallies[cause] ?? Tally(times: 0, last: .zero)
        guard cause == .late || entry > tally.last else { return }
        tally.times &+= 1
        tally.last = entry
        tallies[cause] = tally
    }

    /// A whole snapshot at `position` took the place of everything before it.
    mutating func forget(before position: Position) {
        tallies = tallies.filter { $0.value.last.first >= position.number }
    }
}

extension Inexactness: CustomStringConvertible {
    package var description: String {
        Cause.allCases.compactMap { cause in
            tallies[cause].map { "\(cause.rawValue):\($0.times):\($0.last)" }
        }.joined(separator: " ")
    }
}
