internal import Projection
internal import Synchronization

/// Lets callers share looks at something: each is served by one that began after it asked. One goes on at a time, and they
/// begin no closer together than `spacing`. Those that take long are further apart, up to a second: whoever asks for
/// what is not there must not keep busy who is asked.
final class SharedLooks: Sendable {
    typealias Outcome = Result<Void, StoreFailure>

    /// What becomes of a caller that had to wait.
    private enum Turn: Sendable {
        /// It looks, for these as well.
        case look([CheckedContinuation<Turn, Never>])
        case done(Outcome)
    }

    private struct State {
        var isLooking = false
        /// When the next look may begin.
        var next: ContinuousClock.Instant?
        var waiting: [CheckedContinuation<Turn, Never>] = []
    }

    private static let longestSpacing = Duration.seconds(1)
    /// Looks take one part in so many of the time.
    private static let share = 5

    private let spacing: Duration
    private let state = Mutex(State())

    init(spacing: Duration) { self.spacing = spacing }

    /// How many wait for the next look.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Returns when a look that began after the call has ended, with what came of it.
    func perform(_ look: () async throws(StoreFailure) -> Void) async -> Outcome {
        var turn = Turn.look([])
        let isFirst = state.withLock { state in
            defer { state.isLooking = true }
            return !state.isLooking
        }
        if !isFirst {
            turn = await withCheckedContinuation { continuation in
                // The one that looked may have ended meanwhile.
                let isFree = state.withLock { state in
                    if state.isLooking { state.waiting.append(continuation) }
                    defer { state.isLooking = true }
                    return !state.isLooking
                }
                if isFree { continuation.resume(returning: .look([])) }
            }
        }
        guard case .look(let others) = turn else {
            if case .done(let outcome) = turn { return outcome }
            return .success(())
        }
        // Waited for also where the caller is cancelled: clients that come and go must not bring looks closer together.
        if let next = state.withLock({ $0.next }) { _ = await Task { try? await Task.sleep(until: next) }.value }
        let began = ContinuousClock.now
        let outcome: Outcome
        do throws(StoreFailure) {
            try await look()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        let distance = max(spacing, min((ContinuousClock.now - began) * Self.share, Self.longestSpacing))
        state.withLock { $0.next = began + distance }
        for other in others { other.resume(returning: .done(outcome)) }
        passOn()
        return outcome
    }

    /// The first of those who came meanwhile looks next, for all of them.
    private func passOn() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            if state.waiting.isEmpty { state.isLooking = false }
            return state.waiting
        }
        waiting.first?.resume(returning: .look(Array(waiting.dropFirst())))
    }
}
