internal import NIOCore
internal import NIOPosix
internal import RegionConfig

/// Whether the addresses the worker listens on can be had.
struct PortCheck: Sendable {
    private let region: Region
    private let eventLoop: any EventLoop

    init(_ region: Region, eventLoop: any EventLoop) {
        self.region = region
        self.eventLoop = eventLoop
    }

    func run() async -> [Finding] {
        var findings = [await look(at: region.admin, named: "admin")]
        for (name, listener) in region.listeners.opened {
            findings.append(await look(at: listener.address, named: "listeners.\(name)"))
        }
        return findings
    }

    private func look(at address: Region.Address, named key: String) async -> Finding {
        let place = "listen \(address)"
        do {
            // As the listener itself will do it, so that closed connections of a worker just stopped are no hindrance.
            let channel = try await ServerBootstrap(group: eventLoop)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: address.host, port: address.port).get()
            try await channel.close().get()
            return Finding(.ok, at: place, key, "free")
        } catch {
            let code = (error as? IOError)?.errnoCode
            if code == EADDRINUSE, key == "admin", await isWorker(address) {
                return Finding(.ok, at: place, key, "in use, by a worker that runs")
            }
            return Finding(.error, at: place, key, Self.reason(code, error), Self.remedy(code, address, key))
        }
    }

    private static func reason(_ code: CInt?, _ error: any Error) -> String {
        switch code {
        case EADDRINUSE: "in use by another program"
        case EADDRNOTAVAIL: "is no address of this host"
        case EACCES: "may not be used by this user"
        default: "\(error)"
        }
    }

    private static func remedy(_ code: CInt?, _ address: Region.Address, _ key: String) -> Remedy {
        let other = "Or another address under \(key)."
        return switch code {
        case EADDRINUSE:
            .shell("ss -ltnp 'sport = :\(address.port)'", note: "It names the program, which must go. " + other)
        case EADDRNOTAVAIL: .shell("ip -brief address", note: "It lists this host's. " + other)
        case EACCES:
            .shell("sysctl net.ipv4.ip_unprivileged_port_start", note: "Ports below it are root's. " + other)
        default: .words(other)
        }
    }

    /// Whether what listens there answers `/livez` as a worker does.
    private func isWorker(_ address: Region.Address) async -> Bool {
        let answer = eventLoop.makePromise(of: Bool.self)
        do {
            let channel = try await ClientBootstrap(group: eventLoop).connectTimeout(.seconds(1))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(LivenessReader(answer: answer))
                    }
                }
                .connect(host: address.host, port: address.port).get()
            let request = "GET /livez HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n"
            channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
            let timeout = eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
            let isWorker = try await answer.futureResult.get()
            timeout.cancel()
            return isWorker
        } catch {
            answer.succeed(false)
            return false
        }
    }
}

/// Collects an HTTP answer until the connection ends, and says whether it is `alive`.
private final class LivenessReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private static let maximumBytes = 4096
    private let answer: EventLoopPromise<Bool>
    private var received = ByteBuffer()

    init(answer: EventLoopPromise<Bool>) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        if received.readableBytes > Self.maximumBytes { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let text = String(buffer: received)
        answer.succeed(text.hasPrefix("HTTP/1.1 200") && text.hasSuffix("alive\n"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
