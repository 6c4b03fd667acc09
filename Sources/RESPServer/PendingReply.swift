package import RESP
internal import Synchronization

/// The reply that a running command owes. It is answered once, from anywhere; what is answered later goes nowhere.
package final class PendingReply: Sendable {
    private enum State {
        case waiting((@Sendable () -> Void)?)
        case cancelled
        case answered
    }

    private let state = Mutex(State.waiting(nil))
    let client: Client
    private let ticket: Int

    init(client: Client, ticket: Int) {
        self.client = client
        self.ticket = ticket
    }

    /// Sends the reply; on the client's event loop at once, else as soon as that comes to it.
    package func answer(_ reply: Reply) {
        let isFirst = state.withLock { state in
            defer { state = .answered }
            if case .answered = state { return false }
            return true
        }
        if isFirst { client.answered(reply, ticket: ticket) }
    }

    /// Calls `action` once when the client is gone, or the port closes and waits for the reply: it should be given soon,
    /// be it as if time had run out. At once where that has happened. Replaces an earlier action.
    package func onCancel(_ action: @escaping @Sendable () -> Void) {
        let isCancelled = state.withLock { state in
            switch state {
            case .waiting: state = .waiting(action)
            case .cancelled: return true
            case .answered: break
            }
            return false
        }
        if isCancelled { action() }
    }

    /// Answers with what `body` gives, whose task is cancelled when nobody waits for it any more. Replaces the action of
    /// `onCancel`.
    package func answer(cancellable body: @escaping @Sendable () async -> Reply) async {
        let (over, end) = AsyncStream.makeStream(of: Void.self)
        onCancel { end.finish() }
        // One child is enough: the task itself waits for whichever comes first.
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                self.answer(await body())
                end.finish()
            }
            for await _ in over {}
            group.cancelAll()
        }
    }

    /// Nobody waits for the reply any more, or not for long.
    func cancel() {
        let action: (@Sendable () -> Void)? = state.withLock { state in
            guard case .waiting(let action) = state else { return nil }
            state = .cancelled
            return action
        }
        action?()
    }
}
