internal import Synchronization

/// What was sent to who watches, until their event loops have come to it. They did not ask for it: where events come faster
/// than that, readers of journals have to wait.
final class FeedLetters: Sendable {
    /// How much is sent.
    struct Size: Hashable, Sendable {
        /// One for each client.
        var count = 0
        /// Of the entries that they share.
        var bytes = 0

        /// Whether readers had better wait until it is taken.
        fileprivate var isLarge: Bool { count > FeedLetters.limit || bytes > FeedLetters.byteLimit }
    }

    /// How many may wait, and bytes in them, before readers read no more: loops come to so many in a few milliseconds.
    static let limit = 1_000
    static let byteLimit = 16 << 20

    private struct State {
        var size = Size()
        /// Readers that wait.
        var held: [AsyncStream<Void>.Continuation] = []
    }

    private let state = Mutex(State())

    /// What waits now, and how many readers wait for that.
    var waiting: (size: Size, readers: Int) { state.withLock { ($0.size, $0.held.count) } }

    /// So much more was sent.
    func sent(_ size: Size) {
        state.withLock { state in
            state.size.count += size.count
            state.size.bytes += size.bytes
        }
    }

    /// All event loops have come to so much.
    func taken(_ size: Size) {
        let held: [AsyncStream<Void>.Continuation] = state.withLock { state in
            state.size.count -= size.count
            state.size.bytes -= size.bytes
            guard !state.size.isLarge else { return [] }
            defer { state.held = [] }
            return state.held
        }
        for reader in held { reader.finish() }
    }

    /// Returns when not too much waits, or the task is cancelled.
    func untilTaken() async {
        let waiting: AsyncStream<Void>? = state.withLock { state in
            guard state.size.isLarge else { return nil }
            let (waiting, taken) = AsyncStream.makeStream(of: Void.self)
            state.held.append(taken)
            return waiting
        }
        if let waiting { for await _ in waiting {} }
    }
}
