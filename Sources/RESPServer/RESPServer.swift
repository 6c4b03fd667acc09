package import Logging
internal import NIOCore
internal import NIOPosix
package import Observability
internal import ServiceLifecycle

/// A port that speaks RESP: accepts clients, and answers the commands of one table.
///
/// Runs until its task group shuts down gracefully: then no client is let in any more, commands that have begun are
/// answered, and connections are closed.
package struct RESPServer: Service {
    /// Where a port listens and what it says it is.
    package struct Settings: Sendable {
        package var host: String
        /// 0 takes a free one.
        package var port: Int
        /// The label of its metrics.
        package var label: String
        package var limits = ListenerLimits()
        package var identity: ServerIdentity

        package init(host: String, port: Int, label: String, identity: ServerIdentity) {
            self.host = host
            self.port = port
            self.label = label
            self.identity = identity
        }
    }

    private let settings: Settings
    private let table: CommandTable
    private let accounts: AccountStore
    private let tls: ServerTLS?
    private let registry: MetricsRegistry
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void

    /// `onListening` is called once with the port, when clients are accepted.
    package init(
        _ settings: Settings, table: CommandTable, accounts: AccountStore, tls: ServerTLS? = nil,
        registry: MetricsRegistry, logger: Logger, onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.settings = settings
        self.table = table
        self.accounts = accounts
        self.tls = tls
        self.registry = registry
        self.logger = logger.with([.port: "\(settings.label)"])
        self.onListening = onListening
    }

    /// - Throws: ``RESPServerError`` when the address cannot be had, or the kernel does not let it be kept.
    package func run() async throws {
        let listener = Listener(
            table: table, limits: settings.limits, accounts: accounts, identity: settings.identity,
            port: settings.label, registry: registry, logger: logger)
        let channel = try await bind(listener)
        listener.opened()
        let port = channel.localAddress?.port ?? settings.port
        logger.info("listening", [.endpoint: "\(settings.host):\(port)"])
        onListening(port)
        let isAsked = await withTaskGroup(of: Void.self, returning: Bool.self) { group in
            group.addTask { await listener.jobs.run() }
            // Cancelled, it stops in the same order, though what runs on the pool is cancelled at once, and hardly anybody
            // is waited for: what cancels it waits as well.
            let isAsked = await Self.isAskedToClose(channel)
            try? await channel.close()
            let time = settings.limits.drainTime
            await listener.drain(
                on: channel.eventLoop, within: Task.isCancelled ? min(time, Self.cancelledDrainTime) : time)
            listener.jobs.finish()
            group.cancelAll()
            return isAsked
        }
        logger.info("no longer listening", [.endpoint: "\(settings.host):\(port)"])
        guard isAsked || Task.isCancelled else {
            throw RESPServerError.cannotListen(
                host: settings.host, port: port, message: "the socket was closed, as no connection could be accepted")
        }
    }

    private static let cancelledDrainTime = Duration.seconds(1)

    /// Returns when the port has to close: true where it is asked to; else it was cancelled, or an error closed the channel.
    private static func isAskedToClose(_ channel: any Channel) async -> Bool {
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        channel.closeFuture.whenComplete { _ in ask.finish() }
        return await withGracefulShutdownHandler {
            for await _ in asked { return true }
            return false
        } onGracefulShutdown: {
            ask.yield()
        }
    }

    private func bind(_ listener: Listener) async throws(RESPServerError) -> any Channel {
        let pause = settings.limits.outputPause
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.keepAliveIdle), value: 60)
            .childChannelOption(.tcpOption(.keepAliveInterval), value: 20)
            .childChannelOption(.tcpOption(.keepAliveCount), value: 3)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 4 << 10, maximum: 64 << 10)
            )
            .childChannelOption(
                .writeBufferWaterMark,
                value: ChannelOptions.Types.WriteBufferWaterMark(low: pause.lowerBound, high: pause.upperBound)
            )
            .childChannelInitializer { [tls] channel in
                channel.eventLoop.makeCompletedFuture { try Self.setUp(channel, listener, tls) }
            }
        do {
            return try await bootstrap.bind(host: settings.host, port: settings.port).get()
        } catch {
            throw RESPServerError(error, host: settings.host, port: settings.port)
        }
    }

    private static func setUp(_ channel: any Channel, _ listener: Listener, _ tls: ServerTLS?) throws {
        let source = ClientSource(channel.remoteAddress)
        let pipeline = channel.pipeline.syncOperations
        switch listener.accepted(from: source) {
        // In the clear also where TLS is spoken: nobody waits for the handshake of who may not stay.
        case .failure(let rejection): try pipeline.addHandler(RefusalHandler(rejection))
        case .success(let id):
            do {
                if let tls { try pipeline.addHandler(tls.makeHandler()) }
                try pipeline.addHandler(
                    ConnectionHandler(id: id, source: source, channel: channel, listener: listener))
            } catch {
                listener.ended(id, from: source)
                throw error
            }
        }
    }
}

extension NIOBSDSocket.Option {
    // Linux, <netinet/tcp.h>; Glibc's module does not carry all of them.
    fileprivate static let keepAliveIdle = NIOBSDSocket.Option(rawValue: 4)
    fileprivate static let keepAliveInterval = NIOBSDSocket.Option(rawValue: 5)
    fileprivate static let keepAliveCount = NIOBSDSocket.Option(rawValue: 6)
}
