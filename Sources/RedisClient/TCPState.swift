package import NIOCore

/// What the kernel has measured of a connection.
package struct TCPState: Sendable {
    /// Bytes that the other side's kernel has acknowledged.
    let acknowledgedBytes: UInt64
    /// When its last word came.
    let lastAcknowledgement: NIODeadline
    /// How long the way there and back takes, smoothed.
    package let roundTrip: Duration
    /// Segments that were sent again since the connection began.
    package let retransmissions: UInt32
}

extension Channel {
    /// Hands out what TCP_INFO says; no call where this kernel does not say it. Called on the event loop, it answers at once.
    func whenTCPState(_ body: @escaping (TCPState) -> Void) {
        guard let provider = self as? any SocketOptionProvider else { return }
        // Linux, <linux/tcp.h>: eight bytes, 24 of 32 bits, then of 64 bits pacing_rate, max_pacing_rate, bytes_acked. Of those
        // of 32 bits the 13th is last_ack_recv, in milliseconds ago, the 16th rtt, in microseconds, the 24th total_retrans.
        typealias Words = (
            UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
            UInt64, UInt64, UInt64
        )
        let info: EventLoopFuture<Words> = provider.unsafeGetSocketOption(level: .tcp, name: .tcp_info)
        info.assumeIsolated().whenSuccess {
            let age = TimeAmount.milliseconds(Int64(UInt32(truncatingIfNeeded: $0.7.littleEndian)))
            body(
                TCPState(
                    acknowledgedBytes: $0.15, lastAcknowledgement: .now() - age,
                    roundTrip: .microseconds(Int64($0.8.littleEndian >> 32)),
                    retransmissions: UInt32(truncatingIfNeeded: $0.12.littleEndian >> 32)))
        }
    }
}

extension RedisConnection {
    /// What the kernel has measured of it; nil where it does not say. Called on the event loop, it answers at once.
    package func tcpState() -> EventLoopFuture<TCPState?> {
        eventLoop.submit { [channel] in
            var found: TCPState?
            channel.whenTCPState { found = $0 }
            return found
        }
    }
}
