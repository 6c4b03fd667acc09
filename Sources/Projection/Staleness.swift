package import Journal

/// Why a cache may differ from what PostgreSQL committed, though it serves readers: the field `stale` beside the cursor
/// that trails all tenants', `<cause>:<position>`.
package struct Staleness: Hashable, Sendable {
    package enum Cause: String, Sendable {
        /// Capture could not go on from its position; a snapshot comes.
        case missedChanges = "missed-changes"
        /// The journals did not begin with a snapshot, or a copy goes on behind a gap: the cache was emptied, is new, or was
        /// away for too long. Verification brings the rest.
        case missingBeginning = "missing-beginning"
        /// What was missed came, as a difference from the capturing region's cache. Verification looks whether there is
        /// more that differs in this one.
        case unverified
        /// Keys of it held something else and were replaced: what others of their type had there is lost.
        case replacedKeys = "replaced-keys"
    }

    package let cause: Cause
    /// Where it became so.
    package let since: Position

    init(_ cause: Cause, since: Position) {
        self.cause = cause
        self.since = since
    }

    /// As the field holds it; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let cause = Cause(rawValue: String(parts[0])), let since = Position(parts[1]) else {
            return nil
        }
        self.init(cause, since: since)
    }

    /// In words.
    package var reason: String {
        switch cause {
        case .missedChanges: "changes in PostgreSQL were missed and are being looked for"
        case .missingBeginning: "entries of the journals never came here: objects may be missing, or old"
        case .replacedKeys: "keys of it held something else and were replaced; what is missing is written anew"
        case .unverified: "changes were missed, and came; whether all of this cache is right now is being looked at"
        }
    }

    /// Whether a comparison of the whole cache with PostgreSQL ends it, whatever the cause; else what capture sends comes
    /// first, and then it does. A mark that replaces another one has the comparison begin anew.
    package var endsWithVerification: Bool { cause != .missedChanges }
}

extension Staleness: CustomStringConvertible {
    package var description: String { "\(cause.rawValue):\(since)" }
}

extension Staleness {
    /// The field's name in `ProjectionKeys.trailing`.
    package static let field = "stale"
}
