package import NIOCore
internal import Synchronization

/// Keeps one connection to a Redis server: connects, waits with jitter when that fails, connects again when it is lost.
///
/// It never repeats a command: what was in flight when a connection ended has failed, and only its sender knows what to
/// do. `run()` must be running for connections to be had.
package actor RedisClient {
    /// What the client is doing.
    package enum State: Sendable {
        /// Successors: `connected`, `waiting`, `stopped`.
        case connecting
        /// Successors: `waiting`, `stopped`.
        case connected(RedisConnection)
        /// Until the next attempt, because of this. Successors: `connecting`, `stopped`.
        case waiting(RedisError, for: Duration)
        /// For ever.
        case stopped
    }

    package nonisolated let endpoint: RedisEndpoint
    package nonisolated let name: String
    package nonisolated let eventLoop: any EventLoop
    /// State changes from now on, for one reader; the newest are kept for a slow one.
    package nonisolated let states: AsyncStream<State>

    /// What the client is doing now.
    package private(set) var state = State.connecting
    private var backoff: ReconnectBackoff
    private let waiting = Mutex<[Int: CheckedContinuation<RedisConnection?, Never>]>([:])
    private var nextWaiter = 0
    private let stateChanged: AsyncStream<State>.Continuation

    /// - Parameters:
    ///   - endpoint: Where to connect to.
    ///   - name: What `CLIENT LIST` shows; without spaces.
    ///   - eventLoop: Where the connections live.
    ///   - backoff: How long to wait between attempts.
    package init(
        endpoint: RedisEndpoint, name: String, eventLoop: any EventLoop, backoff: ReconnectBackoff = ReconnectBackoff()
    ) {
        self.endpoint = endpoint
        self.name = name
        self.eventLoop = eventLoop
        self.backoff = backoff
        (states, stateChanged) = AsyncStream.makeStream(of: State.self, bufferingPolicy: .bufferingNewest(16))
    }

    /// Keeps a connection until the task is cancelled, then closes it. Call it once.
    package func run() async {
        while !Task.isCancelled {
            enter(.connecting)
            let reason: RedisError
            do throws(RedisError) {
                let connection = try await RedisConnection.connect(to: endpoint, name: name, on: eventLoop)
                reason = await keep(connection)
            } catch {
                reason = error
            }
            guard !Task.isCancelled else { break }
            let wait = backoff.next()
            enter(.waiting(reason, for: wait))
            try? await Task.sleep(for: wait)
        }
        enter(.stopped)
        stateChanged.finish()
    }

    /// The open connection, or the next one there will be.
    ///
    /// - Throws: If the client has stopped, or the task is cancelled while it waits.
    package func connection() async throws(CancellationError) -> RedisConnection {
        switch state {
        case .connected(let connection) where connection.isOpen: return connection
        case .stopped: throw CancellationError()
        default: break
        }
        let waiter = nextWaiter
        nextWaiter += 1
        let connection: RedisConnection? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isCancelled = waiting.withLock { waiting in
                    if !Task.isCancelled { waiting[waiter] = continuation }
                    return Task.isCancelled
                }
                if isCancelled { continuation.resume(returning: nil) }
            }
        } onCancel: {
            waiting.withLock { $0.removeValue(forKey: waiter) }?.resume(returning: nil)
        }
        guard let connection else { throw CancellationError() }
        return connection
    }

    /// The same, but nil where there is none for so long, or the task is cancelled.
    package func connection(within time: Duration) async throws(CancellationError) -> RedisConnection? {
        if case .connected(let connection) = state, connection.isOpen { return connection }
        let connection: RedisConnection? = await withTaskGroup { tasks in
            tasks.addTask { try? await self.connection() }
            tasks.addTask {
                try? await Task.sleep(for: time)
                return nil
            }
            defer { tasks.cancelAll() }
            return await tasks.next() ?? nil
        }
        if case .stopped = state { throw CancellationError() }
        return connection
    }

    /// Holds a connection until it ends; returns why it did.
    private func keep(_ connection: RedisConnection) async -> RedisError {
        let since = ContinuousClock.now
        enter(.connected(connection))
        let reason = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                connection.closeFuture.whenSuccess { continuation.resume(returning: $0) }
            }
        } onCancel: {
            connection.closeSoon()
        }
        // A server that takes connections only to drop them is not to be asked without pause.
        if ContinuousClock.now - since > backoff.cap { backoff.reset() }
        return reason
    }

    private func enter(_ new: State) {
        state = new
        stateChanged.yield(new)
        switch new {
        case .connected(let connection): release(connection)
        case .stopped: release(nil)
        case .connecting, .waiting: break
        }
    }

    private func release(_ connection: RedisConnection?) {
        let released = waiting.withLock { waiting in
            defer { waiting.removeAll() }
            return waiting.values
        }
        for waiter in released { waiter.resume(returning: connection) }
    }
}
