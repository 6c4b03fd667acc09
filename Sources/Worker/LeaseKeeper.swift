internal import CrashPoints
internal import Glibc
package import Lease
package import Logging
package import NIOCore
package import Observability
internal import RESP
package import RedisClient

/// Runs a region's work while this worker holds the region's lease; until then, and when it has lost it, stands by.
///
/// A turn begins when this worker takes the lease, and ends when another worker is seen to have had it since: until then
/// the work may end and begin again many times, as with each restart of Redis.
///
/// The lease has a connection of its own, since its end tells the others that its holder is gone. Everything here happens
/// on that connection's event loop.
package actor LeaseKeeper {
    package static let component = "lease"

    package nonisolated let eventLoop: any EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }

    private let endpoint: RedisEndpoint
    private let settings: WorkerLease.Settings
    private let states: ComponentStates
    private let logger: Logger
    private var lease: WorkerLease
    private var backoff = ReconnectBackoff()
    private var connection: RedisConnection?
    /// Why the server did not do what it was last asked; nil when it did.
    private var trouble: RedisError?
    /// Whether the work may run, or still ends.
    private var isHolding = false
    private var hasLost = false
    /// Whether the lease was seen with something that this worker did not write, since its turn began.
    private var wasElsewhere = false
    private var waiter: CheckedContinuation<Void, Never>?

    /// The lease at `endpoint`, for a worker whose name is drawn here.
    package init(
        endpoint: RedisEndpoint, eventLoop: any EventLoop, settings: WorkerLease.Settings = WorkerLease.Settings(),
        states: ComponentStates, logger: Logger
    ) {
        self.endpoint = endpoint
        self.eventLoop = eventLoop
        self.settings = settings
        self.states = states
        self.logger = logger
        lease = WorkerLease(worker: Self.freshName(), settings: settings)
        states.set(Self.component, .seeking(nil))
    }

    /// Runs `turn` for each turn of this worker; it should return when `work` in it does. When the task is cancelled and
    /// `turn` has ended, gives the lease back.
    package func run(_ turn: @escaping @Sendable () async -> Void) async {
        while await taken(inTurn: false) {
            wasElsewhere = false
            // Not on this event loop.
            await withTaskGroup(of: Void.self) { $0.addTask { await turn() } }
        }
        if let connection, case .exchange(let held, let released) = lease.stopped() {
            _ = try? await connection.send(LeaseCommands.exchange(held, for: released), deadline: .seconds(1))
        }
        await connection?.close()
    }

    /// In a turn: runs `work` whenever this worker holds the lease, and cancels it as soon as it does not. Returns when the
    /// turn is over, or when the task is cancelled, and `work` has ended.
    package func work(_ work: @escaping @Sendable () async -> Void) async {
        repeat {
            let since = Self.now
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await work() }
                tasks.addTask { await self.keep() }
                await tasks.next()
                tasks.cancelAll()
            }
            // A server that takes connections only to drop them is not to be asked without pause.
            if Self.now - since > backoff.cap { backoff.reset() } else { try? await Task.sleep(for: backoff.next()) }
        } while await taken(inTurn: true)
    }

    /// Waits until this worker holds the lease; false when cancelled, and in a turn when that is over.
    private func taken(inTurn: Bool) async -> Bool {
        while !Task.isCancelled {
            if await connected() {
                await follow { lease, now in
                    lease.mayAct(at: now) || !lease.isConnected || inTurn && wasElsewhere
                }
                if inTurn, wasElsewhere { return false }
                if lease.mayAct(at: Self.now) {
                    CrashPoint.leaseTaken.pass()
                    isHolding = true
                    enter(.holding)
                    hasLost = false
                    return true
                }
            }
            try? await Task.sleep(for: backoff.next())
        }
        return false
    }

    /// Renews until the lease is lost, or cancelled.
    private func keep() async {
        await follow { lease, now in !lease.mayAct(at: now) }
        isHolding = false
        guard !Task.isCancelled else { return }
        hasLost = true
        sayWhoHolds(else: "the lease was not renewed in time; the region's work stops")
    }

    private func connected() async -> Bool {
        if lease.isConnected { return true }
        do throws(RedisError) {
            let new = try await RedisConnection.connect(to: endpoint, name: "regionsync-lease", on: eventLoop)
            connection = new
            trouble = nil
            lease.connected(as: new.clientID, at: Self.now)
            new.closeFuture.whenSuccess { reason in self.assumeIsolated { $0.lost(new, reason) } }
            return true
        } catch {
            enter(.seeking("\(error)"))
            return false
        }
    }

    private func lost(_ old: RedisConnection, _ reason: RedisError) {
        guard connection === old else { return }
        connection = nil
        trouble = reason
        lease.connectionLost()
        wake()
    }

    // MARK: Driving the machine

    private func follow(until isDone: (WorkerLease, Duration) -> Bool) async {
        while !Task.isCancelled {
            while let action = lease.nextAction(at: Self.now) { perform(action) }
            guard !isDone(lease, Self.now) else { return }
            await sleep(until: lease.deadline)
        }
    }

    private func perform(_ action: WorkerLease.Action) {
        guard let connection else { return }
        let answer: EventLoopFuture<(RedisReply, Bool)>
        switch action {
        case .look(let holder):
            let reply: EventLoopFuture<RedisReply> = connection.send(LeaseCommands.look, deadline: settings.term)
            answer = reply.and(isGone(holder, by: connection))
        case .exchange(let expected, let new):
            let command = LeaseCommands.exchange(expected, for: new)
            let reply: EventLoopFuture<RedisReply> = connection.send(command, deadline: settings.term)
            answer = reply.leavingElsewhere(connection).map { ($0, false) }
        }
        answer.whenComplete { result in self.assumeIsolated { $0.settled(result, on: connection) } }
    }

    /// Whether the server has no such connection. Where that may not be asked nothing is known.
    private func isGone(_ number: Int64?, by connection: RedisConnection) -> EventLoopFuture<Bool> {
        guard let number else { return eventLoop.makeSucceededFuture(false) }
        let line: EventLoopFuture<RedisReply> = connection.send(LeaseCommands.find(number), deadline: settings.term)
        return line.map { $0.string?.isEmpty ?? false }.flatMapErrorThrowing { _ in false }
    }

    private func settled(_ result: Result<(RedisReply, Bool), any Error>, on asked: RedisConnection) {
        guard connection === asked else { return }
        switch result {
        case .success((let reply, let isHolderGone)):
            trouble = nil
            let value = LeaseValue(text: reply.string ?? "")
            if value != .absent, value.holder != lease.worker { wasElsewhere = true }
            lease.answered(value, isHolderGone: isHolderGone, at: Self.now)
        case .failure(let error):
            trouble = error as? RedisError
            lease.failed(at: Self.now)
        }
        if !isHolding, !lease.mayAct(at: Self.now) { sayWhoHolds() }
        wake()
    }

    /// Suspends until `wake()`, cancelled, or `deadline` has come.
    private func sleep(until deadline: Duration?) async {
        let timer = deadline.map { deadline in
            eventLoop.scheduleTask(in: TimeAmount(max(.zero, deadline - Self.now))) {
                self.assumeIsolated { $0.wake() }
            }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter = $0 }
        } onCancel: {
            eventLoop.execute { self.assumeIsolated { $0.wake() } }
        }
        timer?.cancel()
    }

    private func wake() {
        waiter?.resume()
        waiter = nil
    }

    // MARK: Telling

    private func sayWhoHolds(else reason: String? = nil) {
        if let trouble {
            enter(.seeking("\(trouble)"))
        } else if let holder = lease.holder, holder != lease.worker {
            enter(.standby(holder))
        } else if let reason {
            enter(.seeking(reason))
        }
    }

    /// A worker that does not hold the lease any more says so with a warning.
    private func enter(_ state: ComponentState) {
        guard states.set(Self.component, state) else { return }
        logger.log(
            hasLost && !isHolding ? .warning : .info, "Lease changed state",
            [.component: "\(Self.component)", .state: "\(state.name)", .reason: "\(state.reason ?? "")"])
    }

    // MARK: Clock and name

    /// Time by a clock that never jumps, and counts while the host sleeps.
    private static var now: Duration { origin.duration(to: .now) }
    private static let origin = ContinuousClock.now

    /// `<host>:<process>:<drawn>`: the last part tells processes apart that share the others, as in containers.
    private static func freshName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        _ = unsafe gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return "\(host):\(getpid()):\(String(UInt32.random(in: .min ... .max), radix: 16))"
    }
}

extension ComponentState {
    /// The lease's
    fileprivate static let holding = ComponentState("holding", .working)

    fileprivate static func standby(_ holder: String) -> ComponentState {
        ComponentState("standby", .waiting, reason: "worker \(holder) holds the lease and does the region's work")
    }

    fileprivate static func seeking(_ trouble: String?) -> ComponentState {
        ComponentState("waiting", .waiting, reason: trouble ?? "asks who holds the lease")
    }
}
