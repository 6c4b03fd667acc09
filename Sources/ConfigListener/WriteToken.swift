package import Journal

/// What a write is answered with, so that any region's read can wait until it sees the write: `<position>-<xid>`.
///
/// PostgreSQL does not tell a client where its commit stands, so the token has the two things that are known: the log's end
/// just before the commit, and the transaction's number. The commit stands behind the first and carries the second.
package struct WriteToken: Hashable, Sendable {
    /// The commit's own position is at or behind this one.
    package let after: Position
    /// The transaction's number in PostgreSQL, as commit entries have it: its low 32 bits.
    package let xid: UInt32

    package init(after: Position, xid: UInt32) {
        self.after = after
        self.xid = xid
    }

    /// Nil for what is no token.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let position = Position(parts[0]), let xid = UInt32(parts[1]) else { return nil }
        self.init(after: position, xid: xid)
    }
}

extension WriteToken: CustomStringConvertible {
    package var description: String { "\(after)-\(xid)" }
}
