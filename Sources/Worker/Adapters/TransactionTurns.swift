internal import ConfigListener

/// Whose turn it is where so many transactions at a time are enough: first come, first served.
struct TransactionTurns {
    private let limit: Int
    /// Transactions that have a turn.
    private var begun = 0
    private var queue: [(ticket: Int, continuation: CheckedContinuation<DatabaseFailure?, Never>)] = []

    init(limit: Int) { self.limit = limit }

    /// Takes a turn that nobody has; false where it has to be waited for.
    mutating func take() -> Bool {
        guard begun < limit else { return false }
        begun += 1
        return true
    }

    /// Whoever waits goes on with nil when it has a turn, which is taken for it.
    mutating func wait(_ ticket: Int, _ continuation: CheckedContinuation<DatabaseFailure?, Never>) {
        queue.append((ticket, continuation))
    }

    /// A turn is over: the first that waits has it next.
    mutating func pass() {
        if queue.isEmpty { begun -= 1 } else { queue.removeFirst().continuation.resume(returning: nil) }
    }

    /// Does not wait any longer, if it still does.
    mutating func leave(_ ticket: Int) {
        guard let place = queue.firstIndex(where: { $0.ticket == ticket }) else { return }
        queue.remove(at: place).continuation.resume(returning: .busy)
    }

    /// Nobody waits any longer.
    mutating func refuseAll(_ failure: DatabaseFailure) {
        for waiting in queue { waiting.continuation.resume(returning: failure) }
        queue = []
    }
}
