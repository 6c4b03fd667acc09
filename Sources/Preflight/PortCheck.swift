internal import Foundation
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
        let isRunning = findings[0].statement == Self.ownWorker
        for (name, listener) in region.listeners.opened {
            findings.append(
                await look(at: listener.address, named: "listeners.\(name)", isWorkerRunning: isRunning))
        }
        return findings
    }

    private static let ownWorker = "in use, by this region's worker, which runs"

    private func look(
        at address: Region.Address, named key: String, isWorkerRunning: Bool = false
    ) async -> Finding {
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
            if code == EADDRINUSE, isWorkerRunning {
                return Finding(.ok, at: place, key, "in use, as it is while this region's worker runs")
            }
            if code == EADDRINUSE, key == "admin", let running = await regionOfWorker(at: address) {
                guard running != region.name else {
                    return Finding(.ok, at: place, key, Self.ownWorker)
                }
                return Finding(
                    .error, at: place, key, "in use by the worker of region \(running)",
                    .words("Each worker on a host has an admin port of its own: another port under \(key)."))
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

    /// The region whose worker answers `/status` there; nil where no worker does.
    private func regionOfWorker(at address: Region.Address) async -> String? {
        let answer = eventLoop.makePromise(of: String?.self)
        do {
            let channel = try await ClientBootstrap(group: eventLoop).connectTimeout(.seconds(5))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(StatusReader(region: answer))
                    }
                }
                .connect(host: address.host, port: address.port).get()
            let request = "GET /status HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n"
            channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
            let timeout = eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
            let region = try await answer.futureResult.get()
            timeout.cancel()
            return region
        } catch {
            answer.succeed(nil)
            return nil
        }
    }
}

/// Collects an HTTP answer until the connection ends, and takes the region from the status in it.
private final class StatusReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private struct Status: Decodable {
        let region: String
    }

    private static let maximumBytes = 4 << 20
    private let region: EventLoopPromise<String?>
    private var received = ByteBuffer()

    init(region: EventLoopPromise<String?>) {
        self.region = region
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        if received.readableBytes > Self.maximumBytes { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let parts = String(buffer: received).split(separator: "\r\n\r\n", maxSplits: 1)
        let isGiven = parts.count == 2 && parts[0].hasPrefix("HTTP/1.1 200")
        let status = isGiven ? try? JSONDecoder().decode(Status.self, from: Data(parts[1].utf8)) : nil
        region.succeed(status?.region)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
