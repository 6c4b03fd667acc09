import Synchronization

/// That the generator is to stop: since it was asked to, or since it cannot go on.
final class StopSignal: Sendable {
    private struct State {
        var isStopped = false
        var failure: GeneratorError?
        var waiting: [AsyncStream<Never>.Continuation] = []
    }

    private let state = Mutex(State())

    /// The first reason why it cannot go on.
    var failure: GeneratorError? { state.withLock { $0.failure } }

    func stop() {
        let waiting = state.withLock { state in
            state.isStopped = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.finish() }
    }

    func fail(_ error: GeneratorError) {
        state.withLock { $0.failure = $0.failure ?? error }
        stop()
    }

    /// Returns when it is to stop, when `duration` has passed, or when the task is cancelled.
    func wait(_ duration: Duration? = nil) async {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        let isStopped = state.withLock { state in
            if !state.isStopped { state.waiting.append(continuation) }
            return state.isStopped
        }
        if isStopped { return }
        await withTaskGroup { group in
            group.addTask { for await _ in stream {} }
            if let duration { group.addTask { try? await Task.sleep(for: duration) } }
            await group.next()
            group.cancelAll()
        }
    }

    /// What `body` gives; nil, with `body` cancelled, when it is to stop before.
    func unlessStopped<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R? {
        try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                await self.wait()
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }
}
