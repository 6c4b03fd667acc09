internal import Journal

/// Which stretches of the provisioning journals are projected, of all histories that were seen to end: what readers of the
/// journals may tell. A value.
///
/// Of an older history only what was projected when the next one began counts: what its region still wrote, and brings
/// along when it returns, is void. Where a history ended that ended before this was made is not known.
struct ProjectedHistories: Sendable {
    /// How a reader that has told everything up to some place goes on.
    enum Way: Hashable, Sendable {
        /// Behind that place, up to this position.
        case read(upTo: Position)
        /// There is no more of the history: at this place, where the next one begins.
        case jump(to: EntryID)
        /// When more is projected.
        case wait
        /// It cannot: what follows there is not known.
        case lost
    }

    /// Every transaction up to here is projected; nil while that is not known.
    private(set) var completed: Position?
    private var ends: [UInt64: Position] = [:]

    /// The projection has come to `position`, or was set back to it.
    mutating func reached(_ position: Position) {
        if let completed, completed.history < position.history {
            ends[completed.history] = max(ends[completed.history] ?? .zero, completed)
        }
        completed = position
    }

    /// How to go on behind `place`, the last entry that was told, or the last that could be of its transaction.
    func way(behind place: EntryID) -> Way {
        guard let completed else { return .wait }
        let position = Position(number: place.first)
        if position.history == completed.history {
            return place < completed.lastEntryID ? .read(upTo: completed) : .wait
        }
        guard position.history < completed.history else { return .wait }
        // There is nothing before the first history.
        guard let end = ends[position.history] ?? (position.history == 0 ? .zero : nil), position <= end else {
            return .lost
        }
        if place < end.lastEntryID { return .read(upTo: end) }
        let next = ends.keys.filter { $0 > position.history }.min() ?? completed.history
        guard position.history > 0 || next == 1, let beginning = Position(history: next, lsn: 0) else { return .lost }
        return .jump(to: beginning.entryID(ordinal: 0))
    }
}

extension Position {
    /// The last entry that a transaction at this position could have: a place behind the whole of it.
    var lastEntryID: EntryID { EntryID(first: number, second: .max) }
}

extension EntryID {
    /// A place as clients have it: a position, of whose transaction everything was told, or one entry of it.
    init?(place text: some StringProtocol) {
        if let position = Position(text) {
            self = position.lastEntryID
        } else {
            self.init(text)
        }
    }

    var placeText: String { second == .max ? "\(first)" : description }
}
