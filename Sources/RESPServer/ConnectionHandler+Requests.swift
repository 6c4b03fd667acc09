internal import NIOCore
internal import RESP

/// Requests are decoded one by one, each when the one before has been answered.
extension ConnectionHandler {
    /// Runs what can be run of what was received, until so much is written that others have to have their turn of the event
    /// loop. While it is read the replies leave when reading ends.
    func process(isReading: Bool = false) {
        guard let context, !isProcessing else { return }
        isProcessing = true
        let turnBytes = listener.limits.outputPause.upperBound
        var written = 0
        while running == nil, !isClosing, context.channel.isWritable, written < turnBytes {
            refreshAccounts()
            guard !isClosing else { break }
            let limits = listener.limits
            decoder.limits = session.isKnown ? limits.requestsAfterLogin : limits.requestsBeforeLogin
            do throws(RequestError) {
                guard let request = try decoder.next() else { break }
                received(request)
            } catch {
                listener.metrics.rejected(.request)
                close(after: .error(ReplyError("\(error)")))
            }
            if output.readableBytes >= outputPiece {
                written += output.readableBytes
                flush()
            }
        }
        isProcessing = false
        if written >= turnBytes { postpone(context) }
        if isDraining, running == nil, !isClosing, !isPostponed { close() }
        countInput()
        pauseReading(context)
        if !isReading { flushSoon(context) }
    }

    private func postpone(_ context: ChannelHandlerContext) {
        guard !isPostponed else { return }
        isPostponed = true
        context.eventLoop.assumeIsolatedUnsafeUnchecked().execute {
            self.isPostponed = false
            self.process()
        }
    }

    private func received(_ request: Request) {
        let now = NIODeadline.now()
        let (before, version) = (session.account, session.version)
        handle(request, at: now)
        cutOffIfChanged(since: before)
        checkHandshake()
        closeIfLowered(from: version)
    }

    /// Who watches and goes back to RESP2 could not tell what it watches from replies: its connection ends.
    func closeIfLowered(from version: RESPVersion) {
        if watches > 0, version == .three, session.version == .two { close() }
    }

    /// Who is known need not hurry any more; who is not any more has to again.
    func checkHandshake() {
        if session.isKnown {
            handshakeEnd = nil
        } else if let handshakeEnd {
            schedule(for: handshakeEnd)
        } else {
            handshakeBegan()
        }
    }

    private func handle(_ request: Request, at now: NIODeadline) {
        switch session.received(request, at: Duration(uptimeOf: now)) {
        case .answer(let reply): finish(reply, began: now)
        case .run(let place, let account): run(place, Invocation(request, account, client, session.version), at: now)
        case .commit(let commands, let account): commit(commands, account: account, at: now)
        case .logIn(let login): check(login, at: now)
        case .inform(let sections): finish(.verbatim(ServerReport(listener).text(sections)), began: now)
        case .close(let reply):
            if let reply { measured(reply, began: now) }
            close(after: session.isMuted ? nil : reply)
        }
    }

    /// Sends the reply of a command that is over.
    func finish(_ reply: Reply, began: NIODeadline) {
        measured(reply, began: began)
        if !session.isMuted { write(reply) }
    }

    private func measured(_ reply: Reply, began: NIODeadline) {
        listener.metrics.answered(session.place, isError: reply.isError, in: NIODeadline.now() - began)
    }

    /// Stops reading from a client that is further ahead than may be kept, and goes on when it is not.
    func pauseReading(_ context: ChannelHandlerContext) {
        let isBehind = decoder.pendingBytes > listener.limits.backlogBytes && !isClosing
        let cannotRun = running != nil || !context.channel.isWritable || isPostponed
        guard (isBehind && cannotRun) != isReadPaused else { return }
        isReadPaused.toggle()
        try? context.channel.syncOptions?.setOption(.autoRead, value: !isReadPaused)
    }
}

// MARK: - Commands that take their time

extension ConnectionHandler {
    private func run(_ place: Int, _ invocation: Invocation?, at now: NIODeadline) {
        guard let invocation, case .port(let handler) = listener.table.commands[place].action else { return }
        switch handler {
        case .immediate(let answer): finish(answer(invocation), began: now)
        case .asynchronous(let answer):
            start(answer, invocation, listener.table.commands[place].flags, at: now)
        case .cached(let answer, otherwise: let otherwise):
            if let reply = answer(invocation) {
                finish(reply, began: now)
            } else {
                start(otherwise, invocation, listener.table.commands[place].flags, at: now)
            }
        case .deferred(let answer):
            let invocation = invocation.trimmed
            if let pending = begin(at: now, holding: invocation.request.heldBytes) { answer(invocation, pending) }
        }
    }

    /// What changes nothing ends with its client, lest clients that come and go leave more and more behind.
    private func start(
        _ answer: @escaping @Sendable (Invocation) async -> Reply, _ invocation: Invocation,
        _ flags: Set<Command.Flag>, at now: NIODeadline
    ) {
        let isBlocking = flags.contains(.blocking)
        let invocation = invocation.trimmed
        let bytes = invocation.request.heldBytes
        guard let pending = begin(at: now, holding: bytes, outlastsDrain: !isBlocking) else { return }
        if isBlocking || flags.contains(.readonly) {
            add(pending) { await pending.answer(cancellable: { await answer(invocation) }) }
        } else {
            add(pending) { pending.answer(await answer(invocation)) }
        }
    }

    /// Runs on the pool what answers `pending`.
    private func add(_ pending: PendingReply, _ job: @escaping JobQueue.Job) {
        if !listener.jobs.add(job) { pending.answer(.error(.closing)) }
    }

    private func commit(_ commands: [QueuedCommand], account: Account, at now: NIODeadline) {
        let bytes = commands.reduce(0) { $0 + $1.heldBytes }
        guard let transaction = listener.table.transaction, let client,
            let pending = begin(at: now, holding: bytes, outlastsDrain: true)
        else { return }
        let invocation = TransactionInvocation(
            commands: commands, account: account, client: client, version: session.version)
        if commands.allSatisfy({ $0.command.flags.contains(.readonly) }) {
            add(pending) { await pending.answer(cancellable: { await transaction(invocation) }) }
        } else {
            add(pending) { pending.answer(await transaction(invocation)) }
        }
    }

    /// From now on a reply is owed, and nothing behind it is run; what asked for it takes so much memory until then.
    private func begin(at now: NIODeadline, holding bytes: Int, outlastsDrain: Bool = false) -> PendingReply? {
        guard let client else { return nil }
        lastTicket += 1
        let pending = PendingReply(client: client, ticket: lastTicket)
        running = Running(
            ticket: lastTicket, began: now, pending: pending, outlastsDrain: outlastsDrain, heldBytes: bytes)
        if isDraining, !outlastsDrain { pending.cancel() }
        return pending
    }

    /// The reply that was owed.
    func answered(_ reply: Reply, ticket: Int) {
        guard let running, running.ticket == ticket, !isClosing else { return }
        self.running = nil
        onDrain = nil
        lastReceived = max(lastReceived, .now())
        finish(reply, began: running.began)
        checkHandshake()
        process()
    }

    /// Nobody waits for the command that runs.
    func cancelRunning() {
        let pending = running?.pending
        pending?.cancel()
    }

    /// The port closes: what has begun goes on, what may wait for long is asked to end.
    func drain() {
        isDraining = true
        if let running, !running.outlastsDrain { cancelRunning() }
        onDrain?()
        onDrain = nil
        process()
    }

    /// Calls `action` when the port begins to close while the command that runs is not over; at once where it has.
    func whenDraining(_ action: @escaping @Sendable () -> Void) {
        if isDraining { action() } else { onDrain = action }
    }
}

extension Invocation {
    fileprivate init?(_ request: Request, _ account: Account, _ client: Client?, _ version: RESPVersion) {
        guard let client else { return nil }
        self.init(request: request, account: account, client: client, version: version)
    }

    /// For a command that takes its time: what came with its request is not to be held for as long.
    fileprivate var trimmed: Invocation {
        Invocation(request: request.trimmed, account: account, client: client, version: version)
    }
}
