/// When each of a stream of items is due, at a steady rate that does not wait for anybody: what is late is produced late
/// and keeps the time at which it was due, so that a stall shows in every latency measured across it.
package struct OpenLoopSchedule: Hashable, Sendable {
    /// Items a second.
    package let rate: Int

    package init(rate: Int) {
        precondition(rate > 0, "a rate of \(rate) produces nothing")
        self.rate = rate
    }

    /// When item `number` (from 0) is due, after the start.
    package func due(_ number: Int) -> Duration {
        .seconds(number / rate) + .nanoseconds(number % rate * 1_000_000_000 / rate)
    }

    /// How many items are due when `elapsed` has passed.
    package func dueCount(after elapsed: Duration) -> Int {
        let (seconds, attoseconds) = elapsed.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let nanoseconds = Int(attoseconds / 1_000_000_000)
        return Int(seconds) * rate + nanoseconds * rate / 1_000_000_000 + 1
    }
}
