/// The time of an engine's loop, from its beginning, and what wakes it at its deadlines: one sleeping child task for each
/// deadline that came earlier than all others.
struct LoopTimer {
    private let origin = ContinuousClock.now
    private var armed: Duration?

    var now: Duration { ContinuousClock.now - origin }

    /// Sees to it that `wake` is called at `deadline`, or at an earlier one before.
    mutating func arm(
        for deadline: Duration, in group: inout ThrowingDiscardingTaskGroup<any Error>,
        wake: @escaping @Sendable (Duration) -> Void
    ) {
        if let armed, armed <= deadline { return }
        armed = deadline
        group.addTask { [origin] in
            try? await ContinuousClock().sleep(until: origin + deadline)
            wake(deadline)
        }
    }

    /// A sleep has ended.
    mutating func fired(at deadline: Duration) {
        if armed == deadline { armed = nil }
    }
}
