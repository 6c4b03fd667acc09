package import NIOCore
internal import NIOPosix

/// A TCP proxy on the loopback address that behaves like a long and faulty link.
///
/// Everything happens on one event loop. What it can do is in `ProxyOrder`; it is changed at run time, for the connections
/// that are open and those that come.
package final class WANProxy: Sendable {
    /// Where clients connect to, on 127.0.0.1.
    package let port: Int
    private let listener: any Channel
    private let core: NIOLoopBound<ProxyCore>

    private init(port: Int, listener: any Channel, core: NIOLoopBound<ProxyCore>) {
        self.port = port
        self.listener = listener
        self.core = core
    }

    /// Listens on a port of 127.0.0.1, a free one for 0, and connects each client to `host` and `targetPort`.
    package static func start(
        port: Int = 0, to host: String, _ targetPort: Int, on eventLoop: any EventLoop
    ) async throws -> WANProxy {
        let core = try await eventLoop.submit {
            NIOLoopBound(ProxyCore(host: host, port: targetPort, eventLoop: eventLoop), eventLoop: eventLoop)
        }.get()
        let listener = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_rcvbuf), value: ProxyCore.socketBytes)
            .childChannelOption(.socketOption(.so_sndbuf), value: ProxyCore.socketBytes)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try core.value.accepted(channel) }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return WANProxy(port: listener.localAddress?.port ?? port, listener: listener, core: core)
    }

    /// Carries out an order; returns when that is done.
    @discardableResult
    package func perform(_ order: ProxyOrder) async throws -> ProxyStatistics {
        try await core.eventLoop.submit { [core] in
            core.value.perform(order)
            return core.value.statistics
        }.get()
    }

    /// Breaks all connections and listens no longer.
    package func close() async throws {
        try await listener.close()
        try await perform(.reset)
    }
}
