package import Journal
package import RESP

/// Why a cache may differ from what PostgreSQL committed, though it serves readers: the field `stale` beside the cursor
/// that trails all tenants', `<cause>:<position>`.
package struct Staleness: Hashable, Sendable {
    package enum Cause: String, Sendable {
        /// Capture could not go on from its position; a snapshot comes.
        case missedChanges = "missed-changes"
        /// The journals did not begin with a snapshot: the cache was emptied, or is new. Verification brings the rest.
        case missingBeginning = "missing-beginning"
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
        case .missingBeginning: "the journals do not begin with a snapshot: older objects may be missing"
        }
    }
}

extension Staleness: CustomStringConvertible {
    package var description: String { "\(cause.rawValue):\(since)" }
}

extension Staleness {
    /// The field's name in `ProjectionKeys.trailing`.
    package static let field = "stale"

    /// Writes or removes the field.
    package static func command(_ staleness: Staleness?) -> RedisCommand {
        if let staleness {
            RedisCommand("HSET", ProjectionKeys.trailing, field, "\(staleness)")
        } else {
            RedisCommand("HDEL", ProjectionKeys.trailing, field)
        }
    }
}
