internal import NIOCore

/// Tells a slow link from a dead one while an answer is awaited: a large command may be on its way for longer than a link may
/// be silent, but then the other side's kernel acknowledges ever more of it.
///
/// What counts is only what had been written when the oldest unanswered command was first looked at: a peer that takes
/// everything and never answers is found out.
struct Delivery {
    /// What the other side's kernel has acknowledged of a connection.
    struct Acknowledgement {
        let bytes: UInt64
        /// When its last word came.
        let time: NIODeadline
    }

    private var mark: UInt64?
    private var acknowledged: UInt64 = 0
    /// When more was acknowledged, of what an answer depends on.
    private(set) var lastProgress = NIODeadline.uptimeNanoseconds(0)

    /// Something was answered: the next command in line is another one.
    mutating func answered() { mark = nil }

    /// An answer is awaited; `written` bytes were written so far.
    mutating func looked(written: UInt64, _ last: Acknowledgement) {
        if let mark, last.bytes > acknowledged, last.bytes < mark { lastProgress = last.time }
        if mark == nil { mark = written }
        acknowledged = last.bytes
    }
}

extension Channel {
    /// What the other side's kernel has acknowledged, by TCP_INFO; no call where this kernel does not say. Called on the
    /// event loop, it answers at once.
    func whenAcknowledged(_ body: @escaping (Delivery.Acknowledgement) -> Void) {
        guard let provider = self as? any SocketOptionProvider else { return }
        // Linux, <linux/tcp.h>: eight bytes, 24 of 32 bits, then of 64 bits pacing_rate, max_pacing_rate, bytes_acked. The
        // 13th of 32 bits is last_ack_recv, in milliseconds ago.
        typealias Words = (
            UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
            UInt64, UInt64, UInt64
        )
        let info: EventLoopFuture<Words> = provider.unsafeGetSocketOption(level: .tcp, name: .tcp_info)
        info.assumeIsolated().whenSuccess {
            let age = TimeAmount.milliseconds(Int64(UInt32(truncatingIfNeeded: $0.7.littleEndian)))
            body(Delivery.Acknowledgement(bytes: $0.15, time: .now() - age))
        }
    }
}
