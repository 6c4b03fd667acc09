internal import Journal
package import Logging
package import NIOCore
package import Observability
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

    /// Opens the connection of a reader, whose number it is given, on an event loop.
    package typealias Tail = @Sendable (Int, any EventLoop) async throws(StoreFailure) -> any VoiceTail

    struct State {
        var machine = FeedMachine<Reader>()
        /// Whether somebody does what the machine wants. One does at a time, so that clients get all in the order in which it
        /// came.
        var isActing = false
        /// What that one comes to next.
        var backlog = FeedBacklog<Reader>()
        /// Readers that wait until the backlog is taken.
        var held: [AsyncStream<Void>.Continuation] = []
        /// What tells that time is up, and when; nil while nobody's time is limited.
        var timer: (time: Duration, task: Scheduled<Void>)?

        /// What is to be done now: nothing where somebody is at it, who will come to it.
        mutating func begin() -> [FeedMachine<Reader>.Action] {
            backlog.add(machine.takeActions())
            return isActing ? [] : goOn()
        }

        /// What is to be done by who has done all before.
        mutating func goOn() -> [FeedMachine<Reader>.Action] {
            let actions = backlog.takeAll()
            isActing = !actions.isEmpty
            for reader in held { reader.finish() }
            held = []
            return actions
        }
    }

    /// What tells how the feed is.
    package static let component = FeedReport.component

    let state = Mutex(State())
    let store: any ProjectionStore
    let tail: Tail
    let eventLoop: any EventLoop
    private let executor: @Sendable (any EventLoop) -> (any TaskExecutor)?
    private let report: FeedReport
    let tails = Mutex<[Int: any VoiceTail]>([:])
    /// What goes to who watches.
    let letters = FeedLetters()
    let jobs = VoiceJobs()
    private let start = ContinuousClock.now
    let looks: AsyncStream<Void>
    let lookSoon: AsyncStream<Void>.Continuation
    /// Of reads in Redis for clients.
    let turns = ReadingTurns(VoiceFeed.readersAtOnce)

    /// - Parameters:
    ///   - store: The local Redis; answers at once that it is away when it is.
    ///   - tail: Opens the connection of a reader.
    ///   - eventLoop: Where time is kept, and read what many wait for.
    ///   - executor: Runs readers on the loop of their connections.
    ///   - states: Where it says how it is.
    ///   - logger: Where it says so as well.
    package init(
        store: any ProjectionStore, tail: @escaping Tail, eventLoop: any EventLoop,
        executor: @escaping @Sendable (any EventLoop) -> (any TaskExecutor)? = { _ in nil }, states: ComponentStates,
        logger: Logger
    ) {
        self.store = store
        self.tail = tail
        self.eventLoop = eventLoop
        self.executor = executor
        report = FeedReport(states: states, logger: logger)
        (looks, lookSoon) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Follows journals until cancelled.
    package func run() async {
        report.note(.following)
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepLooking() }
            group.addTask { await self.tick() }
            for await job in self.jobs.stream {
                switch job {
                case .reader(let reader, let loop):
                    group.addTask(executorPreference: self.executor(loop)) { await self.read(reader, on: loop) }
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

    /// The time of looks and reads, which goes on while the machine is suspended.
    var time: Duration { start.duration(to: .now) }

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
    func unwatch(_ id: Int, _ client: Client, _ pending: PendingReply) {
        let reader = Reader(client: client, pending: pending) { _ in .nothing }
        apply { $0.unwatched(id, by: reader) }
    }

    /// Ends a watch whose client is gone.
    func unwatch(_ id: Int) { apply { $0.unwatched(id, by: nil) } }

    /// Tells the machine something and has done what it wants then, by this thread or who is at it.
    @discardableResult
    func apply<Result: Sendable>(_ body: (inout FeedMachine<Reader>) -> Result) -> Result {
        let (result, actions) = tell(body)
        perform(actions)
        return result
    }

    /// Tells the machine something; what comes of it is to be performed, and nothing awaited before.
    func tell<Result: Sendable>(
        _ body: (inout FeedMachine<Reader>) -> Result
    ) -> (Result, [FeedMachine<Reader>.Action]) {
        state.withLock { state in
            let result = body(&state.machine)
            keepTime(&state)
            return (result, state.begin())
        }
    }

    /// Does what is wanted. What others want meanwhile, who do not wait for that, is done on Swift's pool: an event loop
    /// that went on with it would do nothing for its own clients for as long as there is more.
    func perform(_ begun: [FeedMachine<Reader>.Action]) {
        var actions = begun
        while !actions.isEmpty {
            send(actions)
            let more = state.withLock { $0.goOn() }
            if !more.isEmpty, jobs.add(.other { await self.goOn(with: more) }) { return }
            actions = more
        }
    }

    private func goOn(with begun: [FeedMachine<Reader>.Action]) async {
        var actions = begun
        while !actions.isEmpty {
            send(actions)
            await Task.yield()
            actions = state.withLock { $0.goOn() }
        }
    }

    /// Returns when not too much waits to be performed, or the task is cancelled.
    func untilTaken() async {
        let waiting: AsyncStream<Void>? = state.withLock { state in
            guard state.backlog.isLarge else { return nil }
            let (waiting, taken) = AsyncStream.makeStream(of: Void.self)
            state.held.append(taken)
            return waiting
        }
        if let waiting { for await _ in waiting {} }
    }

    private func send(_ actions: [FeedMachine<Reader>.Action]) {
        var mailing = Mailing()
        var pushed = FeedLetters.Size()
        for action in actions {
            switch action {
            case .answer(let reader, let reply):
                mailing.add(reply, to: reader.pending)
                if reply.isError { reader.refused() }
            case .push(let readers, let watch, let region, let chunk):
                let push = Push(voice: chunk, watch: watch, region: region)
                for reader in readers { mailing.add(push, to: reader.client) }
                pushed.count += readers.count
                pushed.bytes += chunk?.byteCount ?? 0
            case .read(let waiter, let reader, let wait):
                let isTaken = jobs.add(.other { await self.lookInTurn(for: wait, of: reader, waiter) })
                if !isTaken { mailing.add(.unavailable, to: reader.pending) }
            case .start(let reader): jobs.add(.reader(reader, on: loop(for: reader)))
            case .interrupt(let reader):
                if let tail = tails.withLock({ $0[reader] }) { jobs.add(.other { await tail.interrupt() }) }
            case .look: lookSoon.yield()
            case .report(let standing): report.note(standing)
            }
        }
        guard pushed.count > 0 else { return mailing.send() }
        letters.sent(pushed)
        mailing.send { [letters, pushed] in letters.taken(pushed) }
    }

    /// The loop of a client that waits for what the reader reads: what comes has no other thread to go to on its way there.
    private func loop(for reader: Int) -> any EventLoop {
        state.withLock { $0.machine.client(of: reader)?.client.eventLoop } ?? eventLoop
    }

    private func keepTime(_ state: inout State) {
        guard let next = state.machine.deadlines.next, state.timer.map({ next < $0.time }) ?? true else { return }
        // It would be kept until its time, which may be in years.
        state.timer?.task.cancel()
        let (seconds, attoseconds) = next.components
        let nanoseconds = UInt64(clamping: seconds) * 1_000_000_000 + UInt64(clamping: attoseconds / 1_000_000_000)
        let task: Scheduled<Void> = eventLoop.scheduleTask(deadline: .uptimeNanoseconds(nanoseconds)) { [weak self] in
            if let self { timeCame(next) }
        }
        state.timer = (next, task)
    }

    private func timeCame(_ time: Duration) {
        state.withLock { if $0.timer?.time == time { $0.timer = nil } }
        apply { $0.reached(max(time, Self.now)) }
    }
}
