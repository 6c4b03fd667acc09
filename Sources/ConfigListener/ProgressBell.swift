internal import Projection
internal import Synchronization

/// Wakes who waits for the projection of provisioning to get on.
final class ProgressBell: Sendable {
    private struct State {
        var rings = 0
        var lastWaiter = 0
        var waiters: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    private let state = Mutex(State())

    init(_ progress: ProvisioningProgress) {
        progress.observe { [weak self] _ in self?.ring() }
    }

    /// How often it has rung.
    var rings: Int { state.withLock { $0.rings } }

    /// Returns when it has rung more than `rings` times, or `patience` has passed.
    func wait(after rings: Int, atMost patience: Duration) async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let waiter: Int? = state.withLock { state in
            guard state.rings == rings else { return nil }
            state.lastWaiter += 1
            state.waiters[state.lastWaiter] = continuation
            return state.lastWaiter
        }
        guard let waiter else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in stream {} }
            group.addTask { try? await Task.sleep(for: patience) }
            _ = await group.next()
            group.cancelAll()
        }
        state.withLock { $0.waiters[waiter] = nil }
    }

    private func ring() {
        let waiters = state.withLock { state in
            state.rings += 1
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.finish() }
    }
}
