/// Bytes that are no message of the protocol. Nothing of the message may be used.
package struct PGOutputError: Error, Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        /// The message ends within a field.
        case truncated
        /// A first byte that no message asked for begins with: another protocol version, or streaming switched on.
        case unknownMessage(UInt8)
        /// A tuple marker other than the ones its message may carry (`K`, `O`, `N`).
        case unknownTuple(UInt8)
        /// A column kind other than `n`, `u`, `t`.
        case unknownColumn(UInt8)
        /// A replica identity other than `d`, `n`, `f`, `i`.
        case unknownReplicaIdentity(UInt8)
        /// A backslash before a byte that COPY never escapes.
        case unknownEscape(UInt8)
        /// A count or length below zero.
        case negativeLength
        /// A name that is not UTF-8, although the connection's encoding is.
        case invalidText
        /// Bytes are left behind the last field.
        case trailingBytes
    }

    package let reason: Reason
    /// Offset of the offending byte in the buffer given to the decoder.
    package let position: Int

    package init(_ reason: Reason, at position: Int) {
        self.reason = reason
        self.position = position
    }
}
