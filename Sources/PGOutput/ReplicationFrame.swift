/// What one CopyData message of a replication stream carries (protocol-replication, "XLogData" and "Primary keepalive").
package enum ReplicationFrame: Hashable, Sendable {
    case data(XLogData)
    case keepalive(Keepalive)

    /// A piece of the log, decoded by the output plugin: exactly one pgoutput message.
    package struct XLogData: Hashable, Sendable {
        /// Where the message's log record begins; 0/0 for `R` and `Y`, neither unique nor monotonic.
        package let start: LSN
        /// The server's end of log as it knew it when sending.
        package let walEnd: LSN
        package let sentAt: PostgresTimestamp
        /// The plugin's message, in the buffer given to `init`.
        package let payload: Range<Int>
    }

    package struct Keepalive: Hashable, Sendable {
        /// Everything up to here has been sent, or holds nothing for this stream.
        package let walEnd: LSN
        package let sentAt: PostgresTimestamp
        /// The server will cut the stream off unless a status update comes soon.
        package let isReplyRequested: Bool
    }

    /// Reads the CopyData payload that stands at `range` of `bytes`.
    package init(_ bytes: RawSpan, at range: Range<Int>) throws(PGOutputError) {
        guard var cursor = ByteCursor(range, in: bytes) else {
            throw PGOutputError(.truncated, at: bytes.byteCount)
        }
        switch try cursor.byte(in: bytes) {
        case UInt8(ascii: "w"):
            let start = try cursor.lsn(in: bytes)
            let walEnd = try cursor.lsn(in: bytes)
            let sentAt = try cursor.timestamp(in: bytes)
            self = .data(
                XLogData(start: start, walEnd: walEnd, sentAt: sentAt, payload: cursor.position..<range.upperBound))
        case UInt8(ascii: "k"):
            let walEnd = try cursor.lsn(in: bytes)
            let sentAt = try cursor.timestamp(in: bytes)
            let reply = try cursor.byte(in: bytes)
            try cursor.finish()
            self = .keepalive(Keepalive(walEnd: walEnd, sentAt: sentAt, isReplyRequested: reply != 0))
        case let tag:
            throw PGOutputError(.unknownMessage(tag), at: range.lowerBound)
        }
    }
}
