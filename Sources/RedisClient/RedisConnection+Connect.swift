internal import Glibc
package import NIOCore
internal import NIOPosix
internal import NIOSSL
package import RESP

extension RedisConnection {
    /// Opens a connection, encrypted and authenticated if the endpoint says so, and gives it a name.
    ///
    /// - Parameters:
    ///   - endpoint: Where to.
    ///   - name: What `CLIENT LIST` shows; without spaces.
    ///   - greeting: Commands that are sent with the first bytes, before anything is answered; their replies are passed over.
    ///   - onMessage: Called with what each message of a channel carries, on the event loop, for a connection that is to
    ///     subscribe; only then are there messages.
    ///   - eventLoop: Where everything of this connection happens; one of `MultiThreadedEventLoopGroup`.
    /// - Returns: A connection that has been let in.
    /// - Throws: `.connect`, `.noAnswer`, `.tls`, `.authentication`, `.protocolViolation`, or `.server` if the server cannot answer yet
    ///   (LOADING) or refuses (`ERR max number of clients reached`).
    package static func connect(
        to endpoint: RedisEndpoint, name: String, greeting: [RedisCommand] = [],
        onMessage: (@Sendable (RedisReply) -> Void)? = nil, on eventLoop: any EventLoop
    ) async throws(RedisError) -> RedisConnection {
        let began = NIODeadline.now()
        let tls = try await TLSSettings.read(endpoint)
        let opened = try await open(endpoint, tls: tls, onMessage: onMessage, on: eventLoop)
        let left = endpoint.connectTimeout - Duration(NIODeadline.now() - began)
        let promise = eventLoop.makePromise(of: [Result<RedisReply, RedisError>].self)
        let hello = hello(endpoint, name: name)
        eventLoop.execute {
            opened.handler.value.send(hello + greeting, deadline: left, promise: promise)
        }
        let answers = await withCheckedContinuation { continuation in
            promise.futureResult.whenSuccess { continuation.resume(returning: $0) }
        }
        do throws(RedisError) {
            return RedisConnection(
                endpoint: endpoint, clientID: try clientID(from: answers.prefix(hello.count), endpoint: endpoint),
                channel: opened.channel, handler: opened.handler, closeFuture: opened.closeFuture)
        } catch {
            eventLoop.execute { opened.handler.value.close(.closed) }
            let reason = await withCheckedContinuation { continuation in
                opened.closeFuture.whenSuccess { continuation.resume(returning: $0) }
            }
            switch (error, reason) {
            case (.timeout, _): throw .noAnswer(reason: "\(endpoint): no answer within \(endpoint.connectTimeout)")
            case (.closed, .closed): throw .connect(reason: "\(endpoint): closed by the server")
            case (.closed, _): throw reason
            default: throw error
            }
        }
    }

    private struct Opened: Sendable {
        var channel: any Channel
        var handler: NIOLoopBound<RedisChannelHandler>
        var closeFuture: EventLoopFuture<RedisError>
    }

    private static func open(
        _ endpoint: RedisEndpoint, tls: TLSSettings?, onMessage: (@Sendable (RedisReply) -> Void)?,
        on eventLoop: any EventLoop
    ) async throws(RedisError) -> Opened {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(endpoint.connectTimeout))
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 4 << 10, initial: 64 << 10, maximum: 1 << 20)
            )
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.keepAliveIdle), value: 1)
            .channelOption(.tcpOption(.keepAliveInterval), value: 1)
            .channelOption(.tcpOption(.keepAliveCount), value: 2)
            .channelOption(.tcpOption(.userTimeout), value: milliseconds(endpoint.linkTimeout))
        do {
            return try await bootstrap.connect(host: endpoint.host, port: endpoint.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let closed = channel.eventLoop.makePromise(of: RedisError.self)
                    do {
                        if endpoint.prefersBBR { askForBBR(channel) }
                        let meter = WireMeter()
                        let handler = try RedisChannelHandler(
                            endpoint: endpoint, meter: meter, closed: closed, onMessage: onMessage)
                        try channel.pipeline.syncOperations.addHandler(meter)
                        if let tls { try channel.pipeline.syncOperations.addHandler(tls.makeHandler()) }
                        try channel.pipeline.syncOperations.addHandler(handler)
                        return Opened(
                            channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop),
                            closeFuture: closed.futureResult)
                    } catch {
                        closed.succeed(.closed)
                        throw error
                    }
                }
            }
        } catch let error as RedisError {
            throw error
        } catch {
            throw failure(error, endpoint: endpoint)
        }
    }

    /// The outcome does not matter: see `RedisEndpoint.prefersBBR`.
    private static func askForBBR(_ channel: any Channel) {
        let name: (UInt8, UInt8, UInt8) = (UInt8(ascii: "b"), UInt8(ascii: "b"), UInt8(ascii: "r"))
        _ = (channel as? any SocketOptionProvider)?
            .unsafeSetSocketOption(level: .tcp, name: .congestionControl, value: name)
    }

    private static func hello(_ endpoint: RedisEndpoint, name: String) -> [RedisCommand] {
        var commands = [RedisCommand("CLIENT", "SETNAME", name), RedisCommand("CLIENT", "ID")]
        if let password = endpoint.password {
            let credentials = [endpoint.username, password].compactMap(\.self)
            commands.insert(RedisCommand(words: ["AUTH"] + credentials, runs: []), at: 0)
        }
        return commands
    }

    private static func clientID(
        from answers: ArraySlice<Result<RedisReply, RedisError>>, endpoint: RedisEndpoint
    ) throws(RedisError) -> Int64 {
        var last: RedisReply?
        for (position, answer) in answers.enumerated() {
            switch answer {
            case .success(let reply): last = reply
            case .failure(.server(let code, let message)):
                let isAuthentication = position == 0 && endpoint.password != nil && code != "LOADING"
                guard isAuthentication || code == "NOAUTH" || code == "WRONGPASS" else {
                    throw .server(code: code, message: message)
                }
                throw .authentication(message: "\(code) \(message)")
            case .failure(let error): throw error
            }
        }
        guard let clientID = last?.integer else { throw .protocolViolation(reason: "CLIENT ID is no number") }
        return clientID
    }

    private static func failure(_ error: any Error, endpoint: RedisEndpoint) -> RedisError {
        switch error {
        case ChannelError.connectTimeout: .noAnswer(reason: "\(endpoint): no answer within \(endpoint.connectTimeout)")
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first {
                failure(first.error, endpoint: endpoint)
            } else {
                .connect(reason: "\(endpoint): unknown host")
            }
        case let error as IOError: .connect(reason: "\(endpoint): \(words(of: error))")
        default: .connect(reason: "\(endpoint): \(error)")
        }
    }

    /// The kernel's words, such as `connection refused`.
    private static func words(of error: IOError) -> String {
        let words = unsafe String(cString: strerror(error.errnoCode))
        return words.prefix(1).lowercased() + words.dropFirst()
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        Int(TimeAmount(duration).nanoseconds / 1_000_000)
    }
}

extension NIOBSDSocket.Option {
    // Linux, <netinet/tcp.h>; Glibc's module does not carry all of them.
    fileprivate static let keepAliveIdle = NIOBSDSocket.Option(rawValue: 4)
    fileprivate static let keepAliveInterval = NIOBSDSocket.Option(rawValue: 5)
    fileprivate static let keepAliveCount = NIOBSDSocket.Option(rawValue: 6)
    static let congestionControl = NIOBSDSocket.Option(rawValue: 13)
    fileprivate static let userTimeout = NIOBSDSocket.Option(rawValue: 18)
}
