internal import Synchronization

/// How many ports are served, so that what stands behind them goes on until the last has closed.
final class OpenPorts: Sendable {
    private struct State {
        var count = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func began() { state.withLock { $0.count += 1 } }

    func ended() {
        let waiting: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.count -= 1
            guard state.count == 0 else { return [] }
            defer { state.waiting.removeAll() }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when no port is served; at once where none is.
    func allClosed() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if state.count > 0 { state.waiting.append(continuation) }
                return state.count == 0
            }
            if isClosed { continuation.resume() }
        }
    }
}
