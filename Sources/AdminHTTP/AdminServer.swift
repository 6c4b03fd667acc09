internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import Observability
internal import ServiceLifecycle

/// The operators' HTTP port: `/metrics`, `/livez`, `/readyz`, `/status`, and a page for browsers at `/`.
///
/// Runs until its task group shuts down gracefully: open answers are finished, then it returns.
package struct AdminServer: Service {
    /// What a client may use up.
    package struct Limits: Hashable, Sendable {
        /// Bytes of a request's headers, and of each one.
        package var headBytes = 16 << 10
        package var headFields = 64
        /// How long a connection may be silent, or take over the head of a request.
        package var idleTimeout = Duration.seconds(30)
        /// Open connections; more wait to be accepted.
        package var connections = 128

        package init() {}
    }

    private let host: String
    private let port: Int
    private let limits: Limits
    private let answers: AdminAnswers
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void

    /// Port 0 takes a free one; `onListening` is called once with the port, when connections are accepted.
    package init(
        host: String, port: Int, limits: Limits = Limits(), answers: AdminAnswers, logger: Logger,
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.limits = limits
        self.answers = answers
        self.logger = logger
        self.onListening = onListening
    }

    /// - Throws: ``AdminServerError`` when the address cannot be had.
    package func run() async throws {
        let application = Application(
            responder: AdminResponder(answers: answers),
            server: .http1(
                configuration: HTTP1Channel.Configuration(
                    idleTimeout: TimeAmount(limits.idleTimeout),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: limits.headBytes, maxHeaderListSize: limits.headBytes,
                        maxHeaderFieldCount: limits.headFields))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections, logger: logger)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? self.port
                logger.info("admin server listening", [.host: "\(host)", .port: "\(port)"])
                onListening(port)
            },
            logger: libraryLogger)
        do {
            try await application.run()
        } catch let error as IOError {
            throw AdminServerError(error, host: host, port: port)
        } catch let error as SocketAddressError {
            throw AdminServerError.cannotListen(host: host, port: port, message: "\(error)")
        }
    }

    /// Hummingbird tells its own start and each request; here only what went wrong is news.
    private var libraryLogger: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}
