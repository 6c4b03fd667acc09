/// A moment by the server's clock: microseconds since 2000-01-01 00:00 UTC, as it stands on the wire.
package struct PostgresTimestamp: Hashable, Sendable {
    package let microseconds: Int64

    /// 2000-01-01 in microseconds since 1970-01-01.
    private static let epoch: Int64 = 946_684_800_000_000

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Clamped to what the wire can carry.
    package init(unixMicroseconds: Int64) {
        let (value, overflow) = unixMicroseconds.subtractingReportingOverflow(Self.epoch)
        microseconds = overflow ? .min : value
    }

    /// Microseconds since 1970-01-01 UTC, clamped: the peer may send any 64 bits.
    package var unixMicroseconds: Int64 {
        let (value, overflow) = microseconds.addingReportingOverflow(Self.epoch)
        return overflow ? .max : value
    }
}

extension PostgresTimestamp: Comparable {
    package static func < (left: PostgresTimestamp, right: PostgresTimestamp) -> Bool {
        left.microseconds < right.microseconds
    }
}
