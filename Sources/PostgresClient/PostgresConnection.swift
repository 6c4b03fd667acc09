/// One connection to PostgreSQL, on a thread of its own.
///
/// Commands wait their turn and run one at a time. Task cancellation and time-outs cancel the command at the server; the
/// connection survives that unless the server does not react. A connection that broke stays `.closed`: make another.
package actor PostgresConnection {
    enum Phase {
        /// → idle, closed
        case connecting
        /// Commands may be sent. → copyingOut, replicating, closed
        case idle
        /// COPY TO STDOUT runs. → idle, closed
        case copyingOut
        /// A replication stream runs: messages in, status updates out. → idle, closed
        case replicating
        /// Final.
        case closed(PostgresError)
    }

    let options: PostgresOptions
    let thread: ConnectionThread
    var handle = PQHandle()
    var phase = Phase.connecting
    /// The running copy's last message was taken; libpq says so only once.
    var hasCopyEnded = false
    private var hasTurn = false
    private var awaitingTurn: [CheckedContinuation<Void, Never>] = []

    /// How long a command may take to be cancelled before the connection is given up.
    private static let cancelGrace = Duration.seconds(3)

    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    /// As `PQserverVersion` has it: 150018 for 15.18.
    package var serverVersion: Int { handle.serverVersion }
    package var isOpen: Bool { if case .closed = phase { false } else { true } }
    package var usesTLS: Bool { handle.usesTLS }
    /// What the last `.server` error was about, for who has the connection alone.
    package var refusedAt: PostgresErrorPlace { handle.refusedAt }

    private init(_ options: PostgresOptions) {
        self.options = options
        thread = ConnectionThread(name: options.applicationName)
    }

    deinit {
        thread.stop()
    }

    // MARK: Life

    /// Connects and authenticates within `options.connectTimeout`.
    package static func connect(_ options: PostgresOptions) async throws(PostgresError) -> PostgresConnection {
        let connection = PostgresConnection(options)
        try await connection.open()
        return connection
    }

    /// Closes at once. Whatever still waits on this connection throws `.closed`.
    package func close() {
        shutDown(.closed("closed by this side"))
    }

    /// Asks the server to cancel the command that runs now, which then throws `.server` with SQLSTATE 57014.
    package func cancel() {
        if case .closed = phase { return }
        _ = handle.cancel()
    }

    private func open() async throws(PostgresError) {
        let deadline = ContinuousClock.now + options.connectTimeout
        handle.start(options.parameters)
        var interest = ConnectionThread.Interest.write
        while true {
            guard handle.socket >= 0 else { throw refused(ConnectFailure(handle).error) }
            switch await thread.wait(for: handle.socket, interest, until: deadline) {
            case .ready: try requireOpen()
            case .timedOut: throw refused(.timeout)
            case .cancelled: throw refused(.cancelled)
            }
            switch handle.advanceConnecting() {
            case .wantsRead: interest = .read
            case .wantsWrite: interest = .write
            case .failed: throw refused(ConnectFailure(handle).error)
            case .done:
                guard handle.becomeNonBlocking() else { throw lost() }
                phase = .idle
                return
            }
        }
    }

    private func refused(_ error: PostgresError) -> PostgresError {
        shutDown(error)
        return error
    }

    // MARK: Commands

    /// Runs one statement; the parameters are text, nil is NULL. Without parameters several statements may stand in
    /// `sql` (one transaction, the last one's rows are the answer), and replication connections take no others.
    @discardableResult
    package func query(
        _ sql: String, _ parameters: [String?] = [], timeout: Duration? = .seconds(30)
    ) async throws(PostgresError) -> PostgresRows {
        await takeTurn()
        defer { passTurn() }
        return try await perform(sql, parameters, timeout: timeout)
    }

    /// `query` for the holder of the turn.
    @discardableResult
    func perform(
        _ sql: String, _ parameters: [String?] = [], timeout: Duration?, ignoresCancellation: Bool = false
    ) async throws(PostgresError) -> PostgresRows {
        switch try await command(sql, parameters, timeout: timeout, ignoresCancellation: ignoresCancellation) {
        case .rows(let rows): return rows
        case .copyOut, .copyIn, .copyBoth:
            throw await interrupted(.protocolViolation("the statement copies; use withCopyOut or startReplication"))
        case .failed(let error): throw error
        }
    }

    /// Sends a command and reads its results: the first failure, the beginning of a copy, or the last rows.
    func command(
        _ sql: String, _ parameters: [String?] = [], timeout: Duration?, ignoresCancellation: Bool = false
    ) async throws(PostgresError) -> PQHandle.Reply {
        try requireOpen()
        guard case .idle = phase else { throw .protocolViolation("a command while a copy runs") }
        // C would end the text there, and PostgreSQL stores no NUL.
        guard !sql.utf8.contains(0), !parameters.contains(where: { $0?.utf8.contains(0) ?? false }) else {
            throw .server(sqlState: "22021", message: "a statement or parameter holds NUL", detail: nil, hint: nil)
        }
        let deadline = timeout.map { ContinuousClock.now + $0 }
        hasCopyEnded = false
        guard handle.send(sql, parameters) else { throw lost() }
        var last: PQHandle.Reply?
        while let reply = try await nextReply(until: deadline, ignoresCancellation: ignoresCancellation) {
            switch reply {
            case .copyOut, .copyIn, .copyBoth: return reply
            case .rows: if case .failed = last {} else { last = reply }
            case .failed: if case .failed = last {} else { last = reply }
            }
        }
        if case .failed(.closed) = last { throw lost() }
        guard let last else { throw .protocolViolation("a command without a result") }
        return last
    }

    /// The next result of the running command, nil behind the last.
    func nextReply(
        until deadline: ContinuousClock.Instant?, ignoresCancellation: Bool = false
    ) async throws(PostgresError) -> PQHandle.Reply? {
        while true {
            let unsent = handle.flush()
            // A broken connection does not block: its error is the next result.
            if unsent < 0 || !handle.isBusy { return handle.nextReply() }
            let outcome = await thread.wait(
                for: handle.socket, unsent > 0 ? .readAndWrite : .read, until: deadline,
                ignoresCancellation: ignoresCancellation)
            try requireOpen()
            switch outcome {
            case .ready: if !handle.consumeInput() { return handle.nextReply() }
            case .timedOut: throw await interrupted(.timeout)
            case .cancelled: throw await interrupted(.cancelled)
            }
        }
    }

    // MARK: Turns

    func takeTurn() async {
        guard hasTurn else {
            hasTurn = true
            return
        }
        await withCheckedContinuation { awaitingTurn.append($0) }  // the turn is handed over taken
    }

    func passTurn() {
        if awaitingTurn.isEmpty { hasTurn = false } else { awaitingTurn.removeFirst().resume() }
    }

    // MARK: Ends

    func requireOpen() throws(PostgresError) {
        if case .closed(let error) = phase { throw error }
    }

    /// Closes a connection that broke, and says why.
    func lost() -> PostgresError {
        let error = PostgresError.closed(handle.errorMessage)
        shutDown(error)
        return error
    }

    func shutDown(_ reason: PostgresError) {
        if case .closed = phase { return }
        phase = .closed(reason)
        thread.resumeAll()
        handle.finish()
        thread.stop()
    }

    /// Cancels the running command and reads what is left of it, so that the connection can go on. Returns `reason`.
    func interrupted(_ reason: PostgresError) async -> PostgresError {
        let deadline = ContinuousClock.now + Self.cancelGrace
        guard let request = handle.cancel() else {
            shutDown(reason)
            return reason
        }
        // A request that arrives late would cancel the next command.
        let answer = await thread.wait(for: request.descriptor, .read, until: deadline, ignoresCancellation: true)
        if case .closed = phase { return reason }
        guard case .ready = answer, request.isDelivered else {
            shutDown(reason)
            return reason
        }
        while true {
            _ = handle.flush()
            if !handle.isBusy {
                switch handle.nextReply() {
                case nil:
                    phase = .idle
                    return reason
                case .copyIn:
                    _ = handle.putCopyEnd()
                    continue
                case .rows, .failed: continue
                case .copyOut, .copyBoth:
                    var rest = CopyBatch()
                    guard case .drained = handle.takeCopyData(into: &rest, maxBytes: 1 << 16) else { continue }
                }
            }
            let outcome = await thread.wait(
                for: handle.socket, .read, until: deadline, ignoresCancellation: true)
            if case .closed = phase { return reason }
            guard case .ready = outcome, handle.consumeInput() else {
                shutDown(reason)
                return reason
            }
        }
    }
}
