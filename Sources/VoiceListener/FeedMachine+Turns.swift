internal import RESP

/// Who is looked for in Redis may have to wait until others were.
extension FeedMachine {
    /// The turn came to look for what a client waits for, which it may not do any more. What a group has is given to nobody
    /// who is gone.
    ///
    /// - Returns: Whether to look.
    mutating func turnCame(for id: Int) -> Bool {
        guard let waiter = waiters[id] else { return false }
        guard waiter.isCancelled else { return true }
        turnMissed(by: id)
        return false
    }

    /// The client's time was up before it was looked for: it gets nothing.
    mutating func turnMissed(by id: Int) {
        let waiter = waiters[id]
        finish(id, .nullArray)
        if let waiter { wakeOthers(than: waiter) }
    }

    /// What a consumer was woken for, and did not take, is still there, and nobody else of its group may have been woken for it.
    mutating func wakeOthers(than waiter: Waiter) {
        for other in others(than: waiter) { settle(other) }
    }

    /// The other consumers of its group that wait for what it waited for.
    func others(than waiter: Waiter) -> [Int] {
        guard case .group = waiter.wait.purpose else { return [] }
        let others = Set(waiter.places.flatMap { streams[$0.stream]?.waiters ?? [] })
        return others.sorted().filter { waiters[$0]?.wait.purpose == waiter.wait.purpose }
    }
}
