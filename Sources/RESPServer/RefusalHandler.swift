internal import NIOCore

/// Tells a client that was not let in why, in Redis' words, and closes.
final class RefusalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let rejection: Rejection

    init(_ rejection: Rejection) {
        self.rejection = rejection
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "-\(words)\r\n")), promise: sent)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private var words: String {
        switch rejection {
        case .draining: "UNAVAILABLE the server is closing"
        default: "ERR max number of clients reached"
        }
    }
}
