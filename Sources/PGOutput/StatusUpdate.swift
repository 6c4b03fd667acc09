/// The client's word on how far it got (protocol-replication, "Standby status update").
///
/// The server moves the slot's `confirmed_flush_lsn` to `flushed` and may then drop the log before it.
package struct StatusUpdate: Hashable, Sendable {
    package let written: LSN
    package let flushed: LSN
    package let applied: LSN
    package let sentAt: PostgresTimestamp
    /// Asks for a keepalive at once: a way to find out whether the link is alive.
    package let isReplyRequested: Bool

    package init(written: LSN, flushed: LSN, applied: LSN, sentAt: PostgresTimestamp, isReplyRequested: Bool = false) {
        self.written = written
        self.flushed = flushed
        self.applied = applied
        self.sentAt = sentAt
        self.isReplyRequested = isReplyRequested
    }

    /// The CopyData payload, 34 bytes.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(34)
        bytes.append(UInt8(ascii: "r"))
        for field in [
            written.rawValue, flushed.rawValue, applied.rawValue, UInt64(bitPattern: sentAt.microseconds),
        ] {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: field >> shift))
            }
        }
        bytes.append(isReplyRequested ? 1 : 0)
        return bytes
    }
}
