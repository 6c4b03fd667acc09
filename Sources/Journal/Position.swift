/// A place in the provisioning history of all regions: one 64-bit number, `history · 2^52 + LSN`.
///
/// A new PostgreSQL timeline or system gets the next history number (a row in `regionsync.history`), so positions rise
/// everywhere, also across PostgreSQL failovers, and compare as plain numbers. 52 bits hold 4 PiB of WAL.
package struct Position: Hashable, Sendable, Comparable {
    /// `history · 2^52 + lsn`.
    package let number: UInt64

    private static let lsnBits: UInt64 = 52

    /// Before every transaction.
    package static let zero = Position(number: 0)

    package init(number: UInt64) { self.number = number }

    /// nil when the history number or the LSN does not fit: 4,096 histories, 4 PiB of WAL.
    package init?(history: UInt64, lsn: UInt64) {
        guard history < 1 << (64 - Self.lsnBits), lsn < 1 << Self.lsnBits else { return nil }
        number = history << Self.lsnBits | lsn
    }

    package init?(_ text: some StringProtocol) {
        guard let number = UInt64(text) else { return nil }
        self.number = number
    }

    /// The number of the history that this position belongs to; 1 is the first.
    package var history: UInt64 { number >> Self.lsnBits }

    /// The log sequence number within the history, as PostgreSQL counts it (bytes of WAL).
    package var lsn: UInt64 { number & (1 << Self.lsnBits - 1) }

    /// The ID of the entry that stands at `ordinal` (from 1) in the transaction at this position.
    package func entryID(ordinal: UInt64) -> EntryID { EntryID(first: number, second: ordinal) }

    package static func < (left: Position, right: Position) -> Bool { left.number < right.number }
}

extension Position: CustomStringConvertible {
    package var description: String { "\(number)" }
}
