internal import NIOCore

/// One of a relay's two connections: tells the relay what happens on it.
final class RelayEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let relay: Relay
    /// The direction in which this end sends.
    private let direction: Direction

    init(_ relay: Relay, sending direction: Direction) {
        self.relay = relay
        self.direction = direction
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        relay.received(unwrapInboundIn(data), direction)
    }

    func channelReadComplete(context: ChannelHandlerContext) { relay.readCompleted(direction) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { relay.becameWritable(towards: direction.opposite) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { relay.ended(direction) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) { relay.closed(direction) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
