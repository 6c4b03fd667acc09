internal import Synchronization

/// A number that only grows. One atomic addition a call; resolve the handle once and keep it.
package final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    internal init() {}

    /// Adds `amount`, wrapping at 2^64 as Prometheus expects of a reset.
    package func add(_ amount: Int = 1) {
        precondition(amount >= 0, "a counter only grows")
        count.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    /// What was added so far.
    package var value: UInt64 { count.load(ordering: .relaxed) }
}
