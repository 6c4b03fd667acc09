internal import Synchronization

/// The way of one batch of messages to the brokers: known once each has a result.
package final class KafkaDelivery: Sendable {
    /// What became of one message.
    package typealias Outcome = Result<KafkaReceipt, KafkaError>

    private struct State {
        var outcomes: [Outcome?]
        var open: Int
        var waiters: [CheckedContinuation<[Outcome], Never>] = []
    }

    private let state: Mutex<State>

    internal init(count: Int) {
        state = Mutex(State(outcomes: Array(repeating: nil, count: count), open: count))
    }

    /// What became of each message, in the order in which they were given; waits until all are known. It does not end
    /// early on cancellation: a message handed over always gets its outcome, at the latest when the producer closes.
    package func outcomes() async -> [Outcome] {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state -> [Outcome]? in
                if state.open == 0 { return state.outcomes.compactMap { $0 } }
                state.waiters.append(continuation)
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    /// Where each message was stored; throws what became of the first that was not.
    package func receipts() async throws(KafkaError) -> [KafkaReceipt] {
        var receipts: [KafkaReceipt] = []
        for outcome in await outcomes() { receipts.append(try outcome.get()) }
        return receipts
    }

    /// Gives up what is still open: the producer is closed and will report nothing more.
    internal func abandon() {
        let open = state.withLock { state in state.outcomes.indices.filter { state.outcomes[$0] == nil } }
        for index in open { _ = settle(index, .failure(.closed)) }
    }

    /// Notes what became of one message. True when it was the last one open.
    internal func settle(_ index: Int, _ outcome: Outcome) -> Bool {
        let (waiters, outcomes, isComplete) = state.withLock { state in
            if state.outcomes.indices.contains(index) && state.outcomes[index] == nil {
                state.outcomes[index] = outcome
                state.open -= 1
            }
            guard state.open == 0 else { return ([CheckedContinuation<[Outcome], Never>](), [Outcome](), false) }
            defer { state.waiters = [] }
            return (state.waiters, state.outcomes.compactMap { $0 }, true)
        }
        for waiter in waiters { waiter.resume(returning: outcomes) }
        return isComplete
    }
}
