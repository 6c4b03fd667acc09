package import Journal
package import Logging
internal import Observability
package import Projection
internal import RESP
internal import RESPServer
internal import Synchronization

/// Tells watchers what changes in provisioning, when this region's state has it: follows the projection and reads the
/// journals up to where that is.
///
/// One reading serves all watches that are live. While there are none, nothing is read. A watch that has to catch up reads
/// for itself, a page at a time as its client takes them; so does a live one behind a page that is large. Few do so at a time,
/// the others wait their turn.
package final class ProvisioningFeed: Sendable {
    typealias Job = @Sendable () async -> Void

    struct State {
        var histories = ProjectedHistories()
        var watches = ProvisioningWatches()
        var repairs = ProvisioningRepairs()
        /// Up to here live watches were told everything; nil until it is known how far the projection is.
        var place: EntryID?
        /// Somebody reads on from `place`.
        var isReading = false
    }

    let pages: ProvisioningPages
    let state = Mutex(State())
    let logger: Logger
    /// Of watches that catch up, and of looks at history.
    let turns = ReadingTurns(ProvisioningFeed.readers)
    let historyTurns = ReadingTurns(ProvisioningFeed.readers)
    /// How long a turn of a watch lasts, at most: what was read and not told by then is read again.
    let turnTime: Duration
    private let news: AsyncStream<Void>
    let newsCame: AsyncStream<Void>.Continuation
    private let jobs: AsyncStream<Job>
    private let intake: AsyncStream<Job>.Continuation

    /// Bytes of a page behind which a client has to have taken what it was sent before it is sent more.
    private static let largePage = 64 << 10
    static let pause = Duration.milliseconds(500)
    /// How many catch up at a time, and how many look at history.
    static let readers = 4

    /// - Parameters:
    ///   - region: This region's name.
    ///   - journals: The provisioning journals of all regions.
    ///   - tail: Reads them in the local Redis; best by few hundred entries a time.
    ///   - store: The local Redis.
    ///   - progress: How far provisioning is projected here.
    ///   - cache: The memory that clients who are told of a change read from.
    ///   - turnTime: How long a watch that catches up may read before it is others' turn.
    ///   - logger: Where it says what keeps it from reading.
    package init(
        region: String, journals: [JournalName], tail: any JournalTail, store: any ProjectionStore,
        progress: ProvisioningProgress, cache: TrackedCache? = nil, turnTime: Duration = .seconds(1),
        logger: Logger
    ) {
        pages = ProvisioningPages(
            region: region, journals: journals, tail: tail, store: store, progress: progress, cache: cache)
        self.turnTime = turnTime
        self.logger = logger
        (news, newsCame) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        (jobs, intake) = AsyncStream.makeStream(of: Job.self)
        progress.observe { [weak self] in self?.reached($0) }
        if let completed = progress.completed { reached(completed) }
    }

    /// Follows the projection until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.follow() }
            for await job in self.jobs { group.addTask { await job() } }
        }
        await pages.tail.close()
    }

    /// Does a job while the feed runs. Not bounded by itself: each connection asks for one at a time.
    ///
    /// - Returns: Whether the feed runs.
    @discardableResult
    func add(_ job: @escaping Job) -> Bool {
        if case .enqueued = intake.yield(job) { true } else { false }
    }

    /// Objects of a type were put right in this region's state, of which no journal tells: who watches them has to list
    /// again. Nobody is told while memory may have what stood there before; who calls does not wait for that.
    package func repaired(_ type: String) {
        add {
            guard await self.memoryHasHeard() else { return }
            self.tell(repairOf: type)
        }
    }

    /// Returns once memory has forgotten what had changed before the call, however long Redis is away; false where the feed
    /// ends first.
    private func memoryHasHeard() async -> Bool {
        guard let cache = pages.cache else { return true }
        while !Task.isCancelled {
            do throws(StoreFailure) {
                try await cache.heard()
                return true
            } catch {
                logger.debug("Watchers cannot be told of repaired objects yet", [.reason: "\(error)"])
                try? await Task.sleep(for: Self.pause)
            }
        }
        return false
    }

    private func tell(repairOf type: String) {
        state.withLock { state in
            guard let completed = state.histories.completed else { return }
            state.repairs.repaired(type, at: completed.lastEntryID)
            var mailing = Mailing()
            for watch in state.watches.allLive where watch.wants(type: type) {
                lose(watch, at: completed, type: type, &state, &mailing)
            }
            mailing.send()
        }
    }

    private func reached(_ position: Position) {
        state.withLock { state in
            state.histories.reached(position)
            if state.watches.isIdle, !state.isReading { state.place = position.lastEntryID }
        }
        newsCame.yield()
    }
}

// MARK: - Live watches

extension ProvisioningFeed {
    private func follow() async {
        for await _ in news {
            while !Task.isCancelled, let reading = nextReading() {
                let hasFailed = await tell(reading) == false
                if hasFailed { try? await Task.sleep(for: Self.pause) }
            }
        }
    }

    /// What live watches have to be told next; nil when nothing.
    private func nextReading() -> ProvisioningReading? {
        state.withLock { state in
            state.isReading = false
            while let place = state.place, !state.watches.isIdle {
                switch state.histories.way(behind: place) {
                case .wait: return nil
                case .jump(let next): leave(place, for: next, &state)
                case .lost: loseAll(&state)
                case .read(let bound):
                    state.isReading = true
                    return ProvisioningReading(pages.journals, behind: place, upTo: bound)
                }
            }
            state.place = state.histories.completed?.lastEntryID
            return nil
        }
    }

    /// There is no more of a history than up to `place`, and the next one begins at `next`. Who resumed further on in it was
    /// told elsewhere of commits that this region never had, and of which nothing takes back what was told.
    private func leave(_ place: EntryID, for next: EntryID, _ state: inout State) {
        let position = state.histories.completed ?? .zero
        var mailing = Mailing()
        for watch in state.watches.allLive where watch.place > place && watch.place < next {
            lose(watch, at: position, type: nil, &state, &mailing)
        }
        mailing.send()
        state.place = next
    }

    /// Tells live watches all of a reading; false when Redis keeps it from going on.
    private func tell(_ reading: ProvisioningReading) async -> Bool {
        var reading = reading
        while true {
            do throws(ProvisioningPages.Failure) {
                let page = try await pages.page(of: &reading)
                tell(page, at: reading.place)
                if page.isLast { return true }
            } catch {
                switch error {
                case .missing:
                    state.withLock { loseAll(&$0) }
                    return true
                case .store(let failure):
                    logger.debug("Provisioning journals cannot be read for watchers", [.reason: "\(failure)"])
                    return false
                }
            }
        }
    }

    private func tell(_ page: ProvisioningPages.Page, at place: EntryID) {
        let slow = state.withLock { state in
            var mailing = Mailing()
            var bytes: [String: Int] = [:]
            for step in page.steps {
                switch step {
                case .event(let event):
                    let watchers = state.watches.watchers(of: event)
                    guard !watchers.isEmpty else { continue }
                    bytes[event.name.tenant, default: 0] += event.data?.count ?? 0
                    add(event, to: watchers, &mailing)
                case .reload(let position, let type):
                    for watch in state.watches.watchers(ofReloadAt: position, type: type) {
                        lose(watch, at: position, type: type, &state, &mailing)
                    }
                case .closed, .read, .locate, .end: break
                }
            }
            mailing.send()
            state.place = place
            return state.watches.takeLive(of: Set(bytes.filter { $0.value >= Self.largePage }.keys), at: place)
        }
        for watch in slow { add { await self.catchUp(watch) } }
    }

    /// A push is made once for all watches of the same number.
    private func add(_ event: ProvisioningEvent, to watchers: [ProvisioningWatch], _ mailing: inout Mailing) {
        var pushes: [Int64: Push] = [:]
        for watch in watchers {
            let push = pushes[watch.number] ?? event.push(watch: watch.number)
            pushes[watch.number] = push
            mailing.add(push, to: watch.client)
        }
    }

    func lose(
        _ watch: ProvisioningWatch, at position: Position, type: String?, _ state: inout State,
        _ mailing: inout Mailing
    ) {
        guard state.watches.ended(watch.number, of: watch.client.id) else { return }
        mailing.add(
            Push.stale(watch: watch.number, at: position, tenant: watch.tenant, type: type), to: watch.client)
        // Behind the push: until then the client may not go back to RESP2, in which it would be no push.
        mailing.endWatch(of: watch.client)
    }

    /// What live watches would be told next is not there: all of them end.
    private func loseAll(_ state: inout State) {
        let position = state.histories.completed ?? .zero
        var mailing = Mailing()
        for watch in state.watches.allLive { lose(watch, at: position, type: nil, &state, &mailing) }
        mailing.send()
        state.place = state.histories.completed?.lastEntryID
    }
}
