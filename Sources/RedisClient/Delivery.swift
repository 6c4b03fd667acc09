internal import NIOCore

/// Tells a slow link from a dead one while an answer is awaited: a large command may be on its way for longer than a link may
/// be silent, but then the other side's kernel acknowledges ever more of it.
///
/// What counts is only what had been written when the oldest unanswered command was first looked at: a peer that takes
/// everything and never answers is found out.
struct Delivery {
    private var mark: UInt64?
    private var acknowledged: UInt64 = 0
    /// When more was found to have been acknowledged, of what an answer depends on.
    private(set) var lastProgress = NIODeadline.uptimeNanoseconds(0)

    /// Something was answered: the next command in line is another one.
    mutating func answered() { mark = nil }

    /// An answer is awaited; so far `written` bytes were written and `acknowledged` of them arrived.
    mutating func looked(written: UInt64, acknowledged: UInt64, now: NIODeadline) {
        if let mark, acknowledged > self.acknowledged, acknowledged < mark { lastProgress = now }
        if mark == nil { mark = written }
        self.acknowledged = acknowledged
    }
}

extension Channel {
    /// How many bytes the other side's kernel has acknowledged, by TCP_INFO; no call where this kernel does not say. Called
    /// on the event loop, it answers at once.
    func whenAcknowledgedBytes(_ body: @escaping (UInt64) -> Void) {
        guard let provider = self as? any SocketOptionProvider else { return }
        // Linux, <linux/tcp.h>: eight bytes, 24 of 32 bits, then of 64 bits pacing_rate, max_pacing_rate, bytes_acked.
        typealias Words = (
            UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
            UInt64, UInt64, UInt64
        )
        let info: EventLoopFuture<Words> = provider.unsafeGetSocketOption(level: .tcp, name: .tcp_info)
        info.assumeIsolated().whenSuccess { body($0.15) }
    }
}
