internal import NIOCore

extension Channel {
    /// Bytes that the kernel was given and has not sent, for want of room on the other side or of time; 0 where it does not
    /// say. On the event loop.
    var unsentBytes: Int {
        guard let provider = self as? any SocketOptionProvider else { return 0 }
        // Linux, <linux/tcp.h>: of TCP_INFO the first half of the 19th word is tcpi_notsent_bytes.
        typealias Words = (
            UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
            UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
        )
        let info: EventLoopFuture<Words> = provider.unsafeGetSocketOption(level: .tcp, name: .tcp_info)
        var bytes = 0
        info.assumeIsolated().whenSuccess { bytes = Int(UInt32(truncatingIfNeeded: $0.18.littleEndian)) }
        return bytes
    }
}
