internal import Synchronization

/// The word by which this process' runs of capture know each other.
///
/// A lease that is lost and taken again soon, as when Redis is restarted, ends a run and begins another; between the two nobody
/// can have failed over, so that the role need not be asked for again. Suspended or away for longer, the next run is another one.
final class CaptureTenure: Sendable {
    /// Shorter than any failover that begins with people.
    private static let longestGap = Duration.seconds(30)

    private struct State: Sendable {
        var run = RedisCaptureJournal.freshBirth()
        /// When the work was seen to go on last.
        var seen = ContinuousClock.now
    }

    private let state = Mutex(State())

    /// The word of a run that begins at `now`.
    func begin(at now: ContinuousClock.Instant = .now) -> String {
        state.withLock { state in
            if now - state.seen > Self.longestGap { state.run = RedisCaptureJournal.freshBirth() }
            state.seen = now
            return state.run
        }
    }

    /// The work goes on at `now`. Once it stood still for too long, only the next run is another one.
    func seen(at now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            if now - state.seen <= Self.longestGap { state.seen = now }
        }
    }

    /// Notes that the work goes on, until cancelled. The clock counts the time for which the process is stopped.
    func keep() async {
        while !Task.isCancelled {
            seen()
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
