internal import Logging
internal import NIOCore
internal import Observability
internal import Synchronization

/// What all connections of a port have in common.
final class Listener: Sendable {
    private struct State {
        var counts: ConnectionCounts
        var throttle: LoginThrottle
        var refusedLogins = RefusedLogins()
        var cutOffs = CutOffLog()
        var clients: [Int64: Client] = [:]
        var accepted: Int64 = 0
        var isDraining = false
        /// Kept from the moment the port closes until its last connection has ended.
        var drained: EventLoopPromise<Void>?
    }

    let table: CommandTable
    let limits: ListenerLimits
    let accounts: AccountStore
    let identity: ServerIdentity
    let metrics: ListenerMetrics
    let jobs = JobQueue()
    let logger: Logger
    let started = Duration(uptimeOf: .now())
    private let state: Mutex<State>
    /// Both apart from all else: clients that do not read, or do not finish what they begin, must not keep logins and new
    /// connections waiting.
    private let untaken: Mutex<OutputTotal>
    private let kept: Mutex<InputTotal>

    /// `port` is the label of the metrics.
    init(
        table: CommandTable, limits: ListenerLimits, accounts: AccountStore, identity: ServerIdentity, port: String,
        registry: MetricsRegistry, logger: Logger
    ) {
        self.table = table
        self.limits = limits
        self.accounts = accounts
        self.identity = identity
        self.logger = logger
        metrics = ListenerMetrics(registry, port: port, table: table)
        state = Mutex(
            State(
                counts: ConnectionCounts(limit: limits.clients, limitPerSource: limits.clientsPerSource),
                throttle: LoginThrottle(settings: limits.logins)))
        untaken = Mutex(OutputTotal(limit: limits.totalOutputBytes))
        kept = Mutex(InputTotal(limit: limits.totalInputBytes))
    }

    /// The port is open: hears of new accounts from now on. One that cannot be had, and is tried every second, must not
    /// leave something behind each time.
    func opened() {
        accounts.observe { [weak self] in self?.accountsReplaced() }
    }
}

// MARK: - Connections

extension Listener {
    /// A connection was accepted.
    ///
    /// - Returns: Its number; or why it may not stay.
    func accepted(from source: ClientSource) -> Result<Int64, Rejection> {
        let result: Result<Int64, Rejection> = state.withLock { state in
            if state.isDraining { return .failure(.draining) }
            if let rejection = state.counts.accepted(from: source) { return .failure(rejection) }
            state.accepted += 1
            return .success(state.accepted)
        }
        switch result {
        case .success: metrics.connections.add(1)
        case .failure(let rejection): metrics.rejected(rejection)
        }
        return result
    }

    /// A connection that may stay is set up; the port may have begun to close meanwhile.
    func began(_ client: Client) {
        let isDraining = state.withLock { state in
            state.clients[client.id] = client
            return state.isDraining
        }
        if isDraining { client.drain() }
    }

    /// A connection that was let in has ended.
    func ended(_ id: Int64, from source: ClientSource) {
        let drained: EventLoopPromise<Void>? = state.withLock { state in
            state.clients[id] = nil
            state.counts.ended(from: source)
            guard state.counts.total == 0 else { return nil }
            defer { state.drained = nil }
            return state.drained
        }
        // Who sees the number go down finds room.
        metrics.connections.add(-1)
        drained?.succeed()
    }

    /// How many connections there are now, and have been.
    var connectionCounts: (open: Int, accepted: Int64) { state.withLock { ($0.counts.total, $0.accepted) } }

    /// Lets no connection in any more and ends those there are, each when what was begun on it is over, or the time is up.
    /// Returns when the last has ended.
    func drain(on eventLoop: any EventLoop, within time: Duration) async {
        let promise = eventLoop.makePromise(of: Void.self)
        let (clients, isEmpty) = state.withLock { state in
            state.isDraining = true
            let isEmpty = state.counts.total == 0
            if !isEmpty { state.drained = promise }
            return (Array(state.clients.values), isEmpty)
        }
        if isEmpty { promise.succeed() }
        for client in clients { client.drain() }
        let end = eventLoop.scheduleTask(in: TimeAmount(time)) { self.cutOffAll() }
        await withCheckedContinuation { continuation in
            promise.futureResult.whenComplete { _ in continuation.resume() }
        }
        end.cancel()
    }

    /// Who watches or waits for something hears of it at once, all others with their next request.
    private func accountsReplaced() {
        let clients = state.withLock { Array($0.clients.values) }
        for client in clients { client.accountsReplaced() }
    }

    private func cutOffAll() {
        let clients = state.withLock { Array($0.clients.values) }
        for client in clients { client.cutOff(.drainTime) }
    }
}

// MARK: - Output

extension Listener {
    /// What waits for a client that takes less than it is sent. Who has to go for it does.
    func waits(_ output: UntakenOutput, for id: Int64, at now: NIODeadline) {
        let removed = untaken.withLock { $0.waits(output.bytes, for: id, lastTaken: output.lastTaken, at: now) }
        guard !removed.isEmpty else { return }
        let clients = state.withLock { state in removed.compactMap { state.clients[$0] } }
        for client in clients { client.cutOff(.outputTotal) }
    }

    /// The client takes what it is sent again, or is gone.
    func waitsNoMore(_ id: Int64) { untaken.withLock { $0.ended(id) } }
}

// MARK: - Input

extension Listener {
    /// So many bytes are kept of what a client sent; none where they are few, or it is gone. Who has to go for it does.
    func keeps(_ bytes: Int, for id: Int64) {
        let removed = kept.withLock { $0.keeps(bytes, for: id) }
        guard !removed.isEmpty else { return }
        let clients = state.withLock { state in removed.compactMap { state.clients[$0] } }
        for client in clients { client.cutOffForInput() }
    }
}

// MARK: - Cutting off

extension Listener {
    /// How many were cut off for this reason, where it is to be logged of one of them now.
    func tells(of reason: Rejection) -> Int? {
        state.withLock { $0.cutOffs.cutOff(reason, at: Duration(uptimeOf: .now())) }
    }
}

// MARK: - Logins

extension Listener {
    func loginAttempted(from source: ClientSource, at now: Duration) -> LoginThrottle.Verdict {
        state.withLock { $0.throttle.attempted(from: source, at: now) }
    }

    func loginTurnCame(
        _ turn: Duration, from source: ClientSource, since began: Duration
    ) -> LoginThrottle.Verdict {
        state.withLock { $0.throttle.turnCame(turn, from: source, since: began) }
    }

    /// An attempt that went ahead is over, and was right or given up.
    func loginEnded(from source: ClientSource, at now: Duration) {
        state.withLock { $0.throttle.ended(from: source, at: now) }
    }

    func loginFailed(from source: ClientSource, at now: Duration) {
        state.withLock { $0.throttle.failed(from: source, at: now) }
    }

    /// Counts a refused login, and logs it where none of its source was a moment ago.
    func loginRefused(_ refusal: RefusedLogins.Refusal, from source: ClientSource, on eventLoop: any EventLoop) {
        metrics.rejected(refusal.reason == .throttled ? .throttled : .login)
        guard let origin = state.withLock({ $0.refusedLogins.refused(refusal, from: source) }) else { return }
        logger.warning("A login was refused", refusal.fields)
        pause(origin, on: eventLoop)
    }

    /// Logs in a while what comes of the origin until then, and so on until nothing does.
    private func pause(_ origin: RefusedLogins.Origin, on eventLoop: any EventLoop) {
        eventLoop.scheduleTask(in: TimeAmount(limits.refusalPause)) { [weak self] in
            guard let self, let summary = self.state.withLock({ $0.refusedLogins.paused(origin) }) else { return }
            logger.warning(
                "Further logins were refused", summary.latest.fields.merging([.count: "\(summary.count)"]) { $1 })
            pause(origin, on: eventLoop)
        }
    }
}

extension RefusedLogins.Refusal {
    fileprivate var fields: LogFields {
        [.account: "\(account)", .clientAddress: "\(address)", .reason: "\(reason.rawValue)"]
    }
}

extension Duration {
    /// The time of the monotonic clock, which machines take for `now`.
    init(uptimeOf deadline: NIODeadline) {
        self = .nanoseconds(Int64(clamping: deadline.uptimeNanoseconds))
    }
}
