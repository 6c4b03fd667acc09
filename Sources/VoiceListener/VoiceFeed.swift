internal import Journal
package import NIOCore
package import Projection
internal import RESP
internal import RESPServer
internal import Synchronization

/// The hub of the voice port: follows the journals that clients wait for, by few connections, and hands what comes to all
/// who wait for it. No client costs a task or a connection while it waits.
package final class VoiceFeed: Sendable {
    /// Who waits.
    struct Reader: Sendable {
        let client: Client
        /// Answered when what was waited for comes, or the watch begins.
        let pending: PendingReply
        /// Looks in Redis for what is waited for.
        let look: @Sendable (FeedWait) async -> StreamReading.Outcome
        /// Called where the answer is an error.
        var refused: @Sendable () -> Void = {}

        init(
            client: Client, pending: PendingReply, look: @escaping @Sendable (FeedWait) async -> StreamReading.Outcome
        ) {
            self.client = client
            self.pending = pending
            self.look = look
        }
    }

    private struct State {
        var machine = FeedMachine<Reader>()
        /// When the timer fires; nil while nobody's time is limited.
        var timer: Duration?
    }

    private let state = Mutex(State())
    private let store: any ProjectionStore
    private let tail: @Sendable (Int) -> any VoiceTail
    private let eventLoop: any EventLoop
    private let executor: (any TaskExecutor)?
    private let tails = Mutex<[Int: any VoiceTail]>([:])
    private let jobs = VoiceJobs()
    private let looks: AsyncStream<Void>
    private let lookSoon: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - store: The local Redis; answers at once that it is away when it is.
    ///   - tail: Makes the connection of a reader, whose number it is given.
    ///   - eventLoop: Where time is kept.
    ///   - executor: Where readers run: best the loop of their connections.
    package init(
        store: any ProjectionStore, tail: @escaping @Sendable (Int) -> any VoiceTail, eventLoop: any EventLoop,
        executor: (any TaskExecutor)? = nil
    ) {
        self.store = store
        self.tail = tail
        self.eventLoop = eventLoop
        self.executor = executor
        (looks, lookSoon) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Follows journals until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepLooking() }
            group.addTask { await self.tick() }
            for await job in self.jobs.stream {
                switch job {
                case .reader(let reader):
                    group.addTask(executorPreference: self.executor) { await self.read(reader) }
                case .other(let body): group.addTask { await body() }
                }
            }
        }
    }

    /// Runs on Swift's pool what answers `pending`; where the feed does not run any more, it is refused.
    func answer(_ pending: PendingReply, _ body: @escaping @Sendable () async -> Void) {
        if !jobs.add(.other(body)) { pending.answer(.unavailable) }
    }

    /// How many journals are followed, clients wait or watch, those that watch, and bytes of recent entries are kept.
    package var size: (journals: Int, clients: Int, watches: Int, bytes: Int) {
        state.withLock { state in
            let waiters = state.machine.waiters
            let watches = waiters.values.count(where: { $0.state == .watching })
            return (state.machine.streams.count, waiters.count, watches, state.machine.keptBytes)
        }
    }

    /// The time that deadlines are told in.
    static var now: Duration { .nanoseconds(Int64(clamping: NIODeadline.now().uptimeNanoseconds)) }
}

// MARK: - Clients

extension VoiceFeed {
    /// Answers when something comes that `wait` is about, or its time is up.
    ///
    /// - Returns: The number of the wait.
    @discardableResult
    func wait(_ wait: FeedWait, by reader: Reader) -> Int {
        let id = apply { $0.asked(wait, by: reader) }
        reader.pending.onCancel { [weak self] in self?.cancel(id) }
        return id
    }

    private func cancel(_ id: Int) { apply { $0.cancelled(id) } }

    /// The group is no more: its consumers hear of it.
    func destroyed(_ group: String, of journal: JournalName) { apply { $0.destroyed(group, of: journal) } }

    /// Ends a watch and answers; what came before is sent before.
    func unwatch(_ id: Int, _ pending: PendingReply) {
        state.withLock { state in
            var mailing = Mailing()
            mailing.add(state.machine.unwatched(id) ? .ok : .noWatch, to: pending)
            mailing.send()
        }
    }

    /// Ends a watch whose client is gone.
    func unwatch(_ id: Int) { apply { _ = $0.unwatched(id) } }

    /// Tells the machine something and does what it wants. All is sent under the lock, so that clients get it in the order
    /// in which it came.
    @discardableResult
    private func apply<Result: Sendable>(_ body: (inout FeedMachine<Reader>) -> Result) -> Result {
        state.withLock { state in
            let result = body(&state.machine)
            perform(state.machine.takeActions())
            keepTime(&state)
            return result
        }
    }

    private func perform(_ actions: [FeedMachine<Reader>.Action]) {
        guard !actions.isEmpty else { return }
        var mailing = Mailing()
        for action in actions {
            switch action {
            case .answer(let reader, let reply):
                mailing.add(reply, to: reader.pending)
                if reply.isError { reader.refused() }
            case .push(let readers, let watch, let region, let chunk):
                let push = Push(voice: chunk, watch: watch, region: region)
                for reader in readers { mailing.add(push, to: reader.client) }
            case .read(let waiter, let reader, let wait):
                let isTaken = jobs.add(.other { await self.look(for: wait, of: reader, waiter) })
                if !isTaken { mailing.add(.unavailable, to: reader.pending) }
            case .start(let reader): jobs.add(.reader(reader))
            case .interrupt(let reader):
                if let tail = tails.withLock({ $0[reader] }) { jobs.add(.other { await tail.interrupt() }) }
            case .look: lookSoon.yield()
            }
        }
        mailing.send()
    }

    private func keepTime(_ state: inout State) {
        guard let next = state.machine.deadlines.next, state.timer.map({ next < $0 }) ?? true else { return }
        state.timer = next
        let (seconds, attoseconds) = next.components
        let nanoseconds = UInt64(clamping: seconds) * 1_000_000_000 + UInt64(clamping: attoseconds / 1_000_000_000)
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(nanoseconds)) { [weak self] in self?.timeCame(next) }
    }

    private func timeCame(_ time: Duration) {
        state.withLock { if $0.timer == time { $0.timer = nil } }
        apply { $0.reached(max(time, Self.now)) }
    }
}

// MARK: - Redis

extension VoiceFeed {
    private func read(_ reader: Int) async {
        let tail = tail(reader)
        tails.withLock { $0[reader] = tail }
        while !Task.isCancelled, let cursors = apply({ $0.cursors(of: reader) }) {
            do throws(StoreFailure) {
                let reads = try await tail.read(behind: cursors)
                apply { $0.read(reads, by: reader) }
            } catch {
                apply { error.isRefusal ? $0.readRefused(by: reader) : $0.readFailed(by: reader) }
                // What fails at once fails again; nobody hurries.
                try? await Task.sleep(for: .milliseconds(50))
                lookSoon.yield()
                break
            }
        }
        tails.withLock { $0[reader] = nil }
        await tail.close()
    }

    /// Looks for what a client waits for; there may be nothing.
    private func look(for wait: FeedWait, of reader: Reader, _ waiter: Int) async {
        switch await reader.look(wait) {
        case .found(let reply): apply { $0.found(reply, for: waiter) }
        case .nothing: apply { $0.foundNothing(for: waiter) }
        case .unavailable: apply { $0.foundNoAnswer(for: waiter) }
        }
    }

    private func keepLooking() async {
        for await _ in looks {
            let journals = apply { $0.takeLooks(at: Self.now) }
            guard !journals.isEmpty else { continue }
            for start in stride(from: 0, to: journals.count, by: 256) {
                let some = journals[start..<min(start + 256, journals.count)]
                let looks = await StreamReading(store: store).look(at: Array(some))
                apply { $0.looked(looks) }
            }
        }
    }

    /// Has journals looked at often enough.
    private func tick() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: state.withLock { $0.machine.isAway } ? .milliseconds(100) : .seconds(1))
            lookSoon.yield()
        }
    }
}
