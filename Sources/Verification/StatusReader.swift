internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
package import Observability

/// Asks a worker's admin port for its status.
package enum StatusReader {
    /// What came back.
    package enum Answer: Sendable {
        case status(WorkerStatus)
        /// Nobody listens there: the worker is not running, or not there.
        case notRunning(reason: String)
        /// Something answered, and it is no worker's status.
        case unreadable(reason: String)
    }

    private static let limit = 4 << 20

    /// Asks for `/status` at `host` and `port`; gives up after `timeout`.
    package static func read(host: String, port: Int, timeout: Duration = .seconds(2)) async -> Answer {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let body = loop.makePromise(of: ByteBuffer.self)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .connectTimeout(TimeAmount(timeout))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(StatusRequest(host: host, body: body))
                    }
                }
                .connect(host: host, port: port).get()
        } catch {
            body.fail(error)
            return .notRunning(reason: "nobody answers at \(host):\(port): \(reason(of: error))")
        }
        let giveUp = loop.scheduleTask(in: TimeAmount(timeout)) {
            body.fail(StatusFailure(reason: "no answer within \(timeout)"))
        }
        defer {
            giveUp.cancel()
            channel.close(promise: nil)
        }
        do {
            let bytes = try await body.futureResult.get()
            return .status(try JSONDecoder().decode(WorkerStatus.self, from: Data(bytes.readableBytesView)))
        } catch is DecodingError {
            return .unreadable(reason: "\(host):\(port) answers, but not with the status of this version")
        } catch {
            return .unreadable(reason: "\(host):\(port): \(error)")
        }
    }

    /// The kernel's words, where it was the kernel.
    private static func reason(of error: any Error) -> String {
        let cause = (error as? NIOConnectionError)?.connectionErrors.first?.error ?? error
        guard let failure = cause as? IOError else { return "\(cause)" }
        return unsafe String(cString: strerror(failure.errnoCode))
    }

    fileprivate struct StatusFailure: Error, CustomStringConvertible {
        let reason: String
        var description: String { reason }
    }

    /// Sends one GET and collects its body.
    private final class StatusRequest: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart
        typealias OutboundOut = HTTPClientRequestPart

        private let host: String
        private let body: EventLoopPromise<ByteBuffer>
        private var collected = ByteBuffer()

        init(host: String, body: EventLoopPromise<ByteBuffer>) {
            self.host = host
            self.body = body
        }

        func channelActive(context: ChannelHandlerContext) {
            let headers = HTTPHeaders([("Host", host), ("Connection", "close")])
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/status", headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                if head.status != .ok { body.fail(StatusFailure(reason: "HTTP status \(head.status)")) }
            case .body(var part):
                collected.writeBuffer(&part)
                if collected.readableBytes > StatusReader.limit { body.fail(StatusFailure(reason: "too long")) }
            case .end:
                body.succeed(collected)
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            body.fail(StatusFailure(reason: "the connection ended early"))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            body.fail(error)
            context.close(promise: nil)
        }
    }
}
