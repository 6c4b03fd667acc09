internal import Glibc
internal import NIOCore
internal import NIOSSL
internal import RESP

/// One connection on its event loop: commands out, replies to those who wait for them, in order.
///
/// Redis answers in the order of the commands, so only the oldest unanswered command can be late: the connection keeps one
/// timer, whatever is in flight.
///
/// On a connection that may subscribe, messages come between the replies and are nobody's answer; on any other a reply that
/// nobody asked for is the end.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Who gets an answer.
    enum Waiter {
        case promise(EventLoopPromise<RedisReply>)
        case pipeline(PipelineWaiter, position: Int)
        /// Of a transaction's replies only the last counts, or the first error before it.
        case transaction(EventLoopPromise<RedisReply>)
        /// Our own PING; any answer shows that the link is alive.
        case ping
    }

    private struct InFlight {
        var waiter: Waiter
        var sentAt: NIODeadline
        var patience: TimeAmount
        /// Replies that are still to come.
        var missing = 1
        var firstError: RedisError?
    }

    private let responseTimeout: TimeAmount
    private let pingInterval: TimeAmount
    private let pingPatience: Duration
    private let meter: WireMeter
    private let onMessage: (@Sendable (RedisReply) -> Void)?

    private var parser: ReplyParser
    private var replies: [RedisReply] = []
    private var inFlight = CircularBuffer<InFlight>()
    private var context: ChannelHandlerContext?
    private var isFlushScheduled = false
    private var lastReceived = NIODeadline.now()
    private var delivery = Delivery()
    private var wakeTime = NIODeadline.distantFuture
    private var wake: Scheduled<Void>?
    private let closed: EventLoopPromise<RedisError>
    /// Why the connection ends; `nil` while it does not.
    private(set) var closeReason: RedisError?

    /// `meter` stands before this handler, where bytes leave. `onMessage` is called with what each message of a channel
    /// carries; without it there must be none.
    init(
        endpoint: RedisEndpoint, meter: WireMeter, closed: EventLoopPromise<RedisError>,
        onMessage: (@Sendable (RedisReply) -> Void)? = nil
    ) throws(RedisError) {
        parser = try ReplyParser(limits: ReplyParser.Limits(replyBytes: endpoint.replyBytes))
        responseTimeout = TimeAmount(endpoint.responseTimeout)
        pingInterval = TimeAmount(endpoint.linkTimeout / 3)
        pingPatience = endpoint.linkTimeout * 2 / 3
        self.meter = meter
        self.closed = closed
        self.onMessage = onMessage
    }
}

// MARK: - Commands

extension RedisChannelHandler {
    /// Writes a command; it is flushed with all others of the same turn of the event loop.
    func send(_ command: RedisCommand, deadline: Duration?, waiter: Waiter) {
        guard let context, closeReason == nil else { return answer(waiter, .failure(.closed)) }
        let now = NIODeadline.now()
        let patience = patience(for: command, deadline: deadline)
        inFlight.append(InFlight(waiter: waiter, sentAt: now, patience: patience))
        context.write(wrapOutboundOut(command.head), promise: nil)
        for run in command.runs where !run.isEmpty {
            context.write(wrapOutboundOut(run.buffer), promise: nil)
        }
        if inFlight.count == 1 { schedule(for: now + patience, context: context) }
        flushSoon(context)
    }

    /// Writes a transaction, which is answered by what `EXEC` answers.
    func send(_ transaction: RedisTransaction, promise: EventLoopPromise<RedisReply>) {
        guard let context, closeReason == nil else { return promise.fail(RedisError.closed) }
        let now = NIODeadline.now()
        inFlight.append(
            InFlight(
                waiter: .transaction(promise), sentAt: now, patience: responseTimeout,
                missing: transaction.replyCount))
        context.write(wrapOutboundOut(transaction.buffer), promise: nil)
        if inFlight.count == 1 { schedule(for: now + responseTimeout, context: context) }
        flushSoon(context)
    }

    /// Writes commands that are answered together.
    func send(
        _ commands: [RedisCommand], deadline: Duration?, promise: EventLoopPromise<[Result<RedisReply, RedisError>]>
    ) {
        let waiter = PipelineWaiter(count: commands.count, promise: promise)
        for (position, command) in commands.enumerated() {
            send(command, deadline: deadline, waiter: .pipeline(waiter, position: position))
        }
    }

    /// Ends the connection; everything in flight fails with `reason`, or with that the connection is closed where the reason
    /// is the answer to the oldest command.
    func close(_ reason: RedisError) {
        guard closeReason == nil else { return }
        closeReason = reason
        if case .tooLarge = reason {
            if let command = inFlight.popFirst() { answer(command.waiter, .failure(reason)) }
            failAll(.closed)
        } else {
            failAll(reason)
        }
        context?.close(promise: nil)
    }

    private func flushSoon(_ context: ChannelHandlerContext) {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolatedUnsafeUnchecked().execute { self.flush() }
    }

    /// Has what was written leave.
    func flush() {
        guard isFlushScheduled else { return }
        isFlushScheduled = false
        context?.flush()
    }

    private func patience(for command: RedisCommand, deadline: Duration?) -> TimeAmount {
        if let deadline { return TimeAmount(deadline) }
        if command.blockTime == .zero { return responseTimeout }
        return TimeAmount(command.blockTime + pingPatience)
    }

    private func answer(_ waiter: Waiter, _ result: Result<RedisReply, RedisError>) {
        switch (waiter, result) {
        case (.promise(let promise), .success(let reply)), (.transaction(let promise), .success(let reply)):
            promise.succeed(reply)
        case (.promise(let promise), .failure(let error)), (.transaction(let promise), .failure(let error)):
            promise.fail(error)
        case (.pipeline(let pipeline, let position), _): pipeline.answered(position, result)
        case (.ping, _): break
        }
    }

    private func failAll(_ reason: RedisError) {
        let waiting = inFlight
        inFlight.removeAll()
        for command in waiting { answer(command.waiter, .failure(reason)) }
    }
}

// MARK: - Channel events

extension RedisChannelHandler {
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lastReceived = .now()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        schedule(for: .now() + pingInterval, context: context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard closeReason == nil else { return }
        lastReceived = .now()
        delivery.answered()
        var received: [RedisReply] = []
        swap(&received, &replies)
        defer {
            received.removeAll(keepingCapacity: received.capacity <= 1024)
            swap(&received, &replies)
        }
        do throws(RedisError) {
            try parser.feed(unwrapInboundIn(data), into: &received)
            deliver(received)
        } catch {
            deliver(received)
            close(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        if let head = inFlight.first, closeReason == nil {
            schedule(for: deadline(of: head), context: context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOSSLError.uncleanShutdown: close(.closed)
        // The kernel's own verdict, after TCP_USER_TIMEOUT.
        case let error as IOError where error.errnoCode == ETIMEDOUT: close(.timeout)
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: close(.tls(reason: String(describing: error)))
        default: close(.closed)
        }
    }

    private func deliver(_ replies: [RedisReply]) {
        for reply in replies {
            guard closeReason == nil else { return }
            if let onMessage, let message = reply.message {
                onMessage(message)
                continue
            }
            if !inFlight.isEmpty, inFlight[inFlight.startIndex].missing > 1 {
                inFlight[inFlight.startIndex].missing -= 1
                if let error = reply.error, inFlight[inFlight.startIndex].firstError == nil {
                    inFlight[inFlight.startIndex].firstError = error
                }
                continue
            }
            guard let command = inFlight.popFirst() else {
                // An error that nobody asked for is the server's reason to hang up: too many clients, protected mode.
                return close(reply.error ?? .protocolViolation(reason: "a reply that nobody asked for"))
            }
            if let error = command.firstError ?? reply.error {
                answer(command.waiter, .failure(error))
            } else {
                answer(command.waiter, .success(reply))
            }
        }
    }

    private func end() {
        let reason = closeReason ?? .closed
        closeReason = reason
        wake?.cancel()
        wake = nil
        failAll(reason)
        closed.succeed(reason)
    }
}

extension RedisReply {
    /// What a message of a channel carries, if it is one: `message`, the channel and this.
    fileprivate var message: RedisReply? {
        guard count == 3, let kind = self[0], kind.string == "message" else { return nil }
        return self[2]
    }
}

// MARK: - Time

extension RedisChannelHandler {
    private func deadline(of command: InFlight) -> NIODeadline {
        max(command.sentAt, lastReceived, delivery.lastProgress) + command.patience
    }

    /// Sees to it that the timer fires at `time` or before; it looks for itself what there is to do.
    private func schedule(for time: NIODeadline, context: ChannelHandlerContext) {
        guard time < wakeTime, closeReason == nil else { return }
        wake?.cancel()
        wakeTime = time
        wake = context.eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(deadline: time) { self.awake() }
    }

    private func lookAtDelivery(_ context: ChannelHandlerContext) {
        context.channel.whenTCPState {
            self.delivery.looked(
                written: self.meter.writtenBytes, acknowledged: $0.acknowledgedBytes, at: $0.lastAcknowledgement)
        }
    }

    private func awake() {
        wakeTime = .distantFuture
        guard let context, closeReason == nil else { return }
        let now = NIODeadline.now()
        if let head = inFlight.first {
            lookAtDelivery(context)
            let deadline = deadline(of: head)
            guard now < deadline else { return close(.timeout) }
            schedule(for: min(deadline, now + pingInterval), context: context)
        } else if now >= lastReceived + pingInterval {
            send(RedisCommand("PING"), deadline: pingPatience, waiter: .ping)
            flush()
        } else {
            schedule(for: lastReceived + pingInterval, context: context)
        }
    }
}
