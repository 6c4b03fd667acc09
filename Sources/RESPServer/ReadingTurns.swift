internal import Synchronization

/// Lets only so many read at a time, first come, first served: what each holds of the journals is bounded, and so is what all
/// hold together.
package final class ReadingTurns: Sendable {
    private struct State {
        var free: Int
        var lastTicket = 0
        var waiting: [(ticket: Int, continuation: CheckedContinuation<Bool, Never>)] = []
        /// Told when somebody waits.
        var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    private let state: Mutex<State>

    package init(_ limit: Int) { state = Mutex(State(free: limit)) }

    /// How many wait.
    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Returns when somebody waits for a turn, or the task is cancelled.
    package func areWanted() async {
        let (calls, called) = AsyncStream.makeStream(of: Void.self)
        let watcher: Int? = state.withLock { state in
            guard state.waiting.isEmpty else { return nil }
            state.lastTicket += 1
            state.watchers[state.lastTicket] = called
            return state.lastTicket
        }
        guard let watcher else { return }
        for await _ in calls {}
        state.withLock { $0.watchers[watcher] = nil }
    }

    /// Waits for a turn, which has to be passed on; false where the task was cancelled before it came.
    package func take() async -> Bool {
        let ticket = state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isTaken: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.waiting.append((ticket, continuation))
                    for watcher in state.watchers.values { watcher.finish() }
                    state.watchers = [:]
                    return nil
                }
                if let isTaken { continuation.resume(returning: isTaken) }
            }
        } onCancel: {
            let waiting: CheckedContinuation<Bool, Never>? = state.withLock { state in
                guard let place = state.waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
                return state.waiting.remove(at: place).continuation
            }
            waiting?.resume(returning: false)
        }
    }

    /// As `take()`, and waits no longer than this; false where no turn came by then. A turn that is free is had in any case.
    package func take(until deadline: ContinuousClock.Instant) async -> Bool {
        if takeFree() { return true }
        return await withTaskGroup(of: Bool?.self) { group in
            group.addTask { await self.take() }
            group.addTask {
                try? await Task.sleep(until: deadline)
                return nil
            }
            // Who is told to wait no longer may have its turn by then.
            for await isTaken in group {
                group.cancelAll()
                if let isTaken { return isTaken }
            }
            return false
        }
    }

    /// Takes a turn for which nobody has to wait.
    private func takeFree() -> Bool {
        state.withLock { state in
            guard state.free > 0 else { return false }
            state.free -= 1
            return true
        }
    }

    /// A turn is over: the first that waits has it next.
    package func pass() {
        let next: CheckedContinuation<Bool, Never>? = state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst().continuation
        }
        next?.resume(returning: true)
    }
}
