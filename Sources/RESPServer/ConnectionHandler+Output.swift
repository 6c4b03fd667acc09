internal import Logging
internal import NIOCore
internal import NIOSSL
internal import Observability
internal import RESP

/// Replies and pushes are gathered and leave together at the end of a turn.
extension ConnectionHandler {
    /// Bytes that are gathered before they leave within a turn.
    var outputPiece: Int {
        session.isKnown ? listener.limits.outputPause.lowerBound : listener.limits.outputBytesBeforeLogin
    }

    /// Gathers a reply.
    func write(_ reply: Reply) {
        ReplyEncoder(version: session.version).encode(reply, into: &output)
    }

    /// Gathers what nobody asked for. What is large leaves as it is, behind what was gathered: all who get it share its bytes.
    func push(_ push: Push) {
        guard let context, !isClosing else { return }
        let wire = push.wire(session.version)
        if wire.readableBytes >= outputPiece {
            flush()
            return send(wire, context)
        }
        output.writeImmutableBuffer(wire)
        if output.readableBytes >= outputPiece { flush() } else { flushSoon(context) }
    }

    /// Sends what was gathered, at the end of this turn of the event loop or before.
    func flushSoon(_ context: ChannelHandlerContext) {
        guard !isFlushScheduled, output.readableBytes > 0 else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolatedUnsafeUnchecked().execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    /// Sends what was gathered.
    func flush() {
        guard let context, output.readableBytes > 0, !isClosing else { return }
        let piece = output
        output = ByteBuffer()
        send(piece, context)
    }

    /// Sends it; cuts the client off if too much waits for it then.
    private func send(_ piece: ByteBuffer, _ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        untaken?.left(waitingBytes(context), at: .now())
        context.writeAndFlush(wrapOutboundOut(piece), promise: nil)
        let limit = session.isKnown ? listener.limits.outputBytes : listener.limits.outputBytesBeforeLogin
        let bytes = waitingBytes(context)
        guard bytes <= limit else { return cutOff(.output) }
        guard untaken != nil else { return }
        untaken?.sent(upTo: bytes)
        countOutput(at: .now())
    }

    /// Calls `action` when less waits for the client than may before its commands pause, or all that does now was taken; also
    /// when the connection has ended, and not before where it is being closed: nothing is sent any more.
    func whenDrained(_ action: @escaping @Sendable () -> Void) {
        guard let context, let client else { return action() }
        let bytes = output.readableBytes + waitingBytes(context)
        if !isClosing, bytes < listener.limits.outputPause.lowerBound { return action() }
        flush()
        guard !isClosing else { return client.whenEnded(action) }
        // Empty, and taken after all that left before.
        let taken = context.eventLoop.makePromise(of: Void.self)
        taken.futureResult.whenComplete { _ in action() }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: taken)
    }

    /// What has left for the client and not been taken by the kernel.
    private func waitingBytes(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Sends what was gathered and `reply`, and closes when the client has taken it.
    func close(after reply: Reply? = nil) {
        guard let context, !isClosing else { return }
        if let reply { write(reply) }
        isClosing = true
        let now = NIODeadline.now()
        closingSince = now
        cancelRunning()
        running = nil
        forgetInput()
        pauseReading(context)
        guard output.readableBytes + waitingBytes(context) > 0 else { return closeWhenSent() }
        // Empty or not, it is taken after all that left before.
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolatedUnsafeUnchecked().whenComplete { _ in self.closeWhenSent() }
        let piece = output
        output = ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(piece), promise: sent)
        schedule(for: now + TimeAmount(listener.limits.stallTime))
    }

    /// How long the kernel has for what it has not sent, before it is asked again.
    private static let unsentLook = TimeAmount.milliseconds(20)

    /// Closes when the kernel has sent all that it was given. Until then what the client says is read, and passed over: had
    /// the connection been closed, or something not been read by then, it would be reset, and the replies be lost.
    private func closeWhenSent() {
        guard let context, let closingSince, !isCutOff else { return }
        guard context.channel.unsentBytes > 0 else { return context.close(promise: nil) }
        schedule(for: closingSince + TimeAmount(listener.limits.stallTime))
        context.eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(in: Self.unsentLook) { [weak self] in
            self?.closeWhenSent()
        }
    }

    /// Closes at once, whatever the client has not taken, and counts why.
    func cutOff(_ reason: Rejection) {
        guard let context, !isCutOff else { return }
        isClosing = true
        isCutOff = true
        rejected(reason)
        cancelRunning()
        running = nil
        forgetInput()
        outputTaken()
        hangUp(context)
    }

    /// Counts why the client has to go, and logs it.
    func rejected(_ reason: Rejection) {
        listener.metrics.rejected(reason)
        let fields: LogFields = [
            .connectionID: "\(id)", .clientAddress: "\(session.facts.address)", .reason: "\(reason.rawValue)",
            .account: "\(session.account?.name ?? "")",
        ]
        listener.logger.debug("client cut off", fields)
        if let count = listener.tells(of: reason) {
            listener.logger.info("Clients were cut off, this one last", fields.merging([.count: "\(count)"]) { $1 })
        }
    }

    /// Closes; where TLS is spoken, and something waits, without its last words, which would stand behind that.
    private func hangUp(_ context: ChannelHandlerContext) {
        guard waitingBytes(context) > 0,
            let tls = try? context.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
        else { return context.close(promise: nil) }
        tls.close(promise: nil)
    }
}

/// What waits for a client is counted with that of others while it takes less than it is sent; else it costs nothing.
extension ConnectionHandler {
    /// The client takes less than it is sent.
    func outputUntaken(_ context: ChannelHandlerContext, at now: NIODeadline) {
        let output = UntakenOutput(bytes: waitingBytes(context), at: now)
        untaken = output
        schedule(for: min(output.nextLook, output.end(of: TimeAmount(listener.limits.stallTime))))
    }

    /// Sees how much of it is left.
    func lookAtOutput(_ context: ChannelHandlerContext, at now: NIODeadline) {
        untaken?.left(waitingBytes(context), at: now)
        countOutput(at: now)
    }

    /// The client takes what it is sent again, or is gone.
    func outputTaken() {
        guard let output = untaken else { return }
        untaken = nil
        if output.isCounted { listener.waitsNoMore(id) }
    }

    private func countOutput(at now: NIODeadline) {
        untaken?.isCounted = true
        if let untaken { listener.waits(untaken, for: id, at: now) }
    }
}
