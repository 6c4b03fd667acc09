internal import CrashPoints
package import Journal
package import Logging
package import Observability
internal import PGOutput
package import RegionConfig

/// Follows PostgreSQL's committed changes into this region's provisioning journal, for as long as it runs.
///
/// It looks at both sides, decides by `CaptureStart`, does what that says, and looks again whenever something ends: a
/// lost connection, a refused append, a snapshot. Nothing is remembered between: the journal says where it ends.
package struct Capture: Sendable {
    package struct Settings: Sendable {
        package var machine = CaptureMachine.Settings()
        package var batch = BatchLimits()
        /// How often the slot's cost is asked for.
        package var sampleInterval = Duration.seconds(10)
        /// How soon to look again while another worker holds the slot.
        package var standbyInterval = Duration.milliseconds(300)
        /// How often a capturing region asks its Redis whether another one has taken over.
        package var takeoverInterval = Duration.seconds(1)
        /// How often PostgreSQL is asked whether it still shows the tables as it did.
        package var surveyInterval = Duration.seconds(3)
        /// How soon to look again after a stop that an operator can mend without a restart.
        package var stoppedInterval = Duration.seconds(3)
        /// More WAL than this, bytes, kept for the slot is worth a warning; nil for no limit.
        package var retainedWALLimit: UInt64?
        /// How long a failed attempt is followed by a pause at most; shorter at first, with jitter.
        package var longestPause = Duration.seconds(1)
        /// How long the projection may stand still, short of the journal's end, before a diff does without it.
        package var projectionPatience = Duration.seconds(30)
        /// How long a journal that Redis lost the end of is left to a peer that may give it back, before what is missing
        /// is looked for in PostgreSQL. Zero without peers.
        package var healPatience = Duration.zero
        /// Fixed here, or asked of Redis where nil.
        package var confirmDelay: Duration?

        package init() {}
    }

    let catalog: Catalog
    let source: any CaptureSource
    let journal: any CaptureJournal
    let cache: (any CaptureCache)?
    let role: (any CaptureRole)?
    let settings: Settings
    let metrics: CaptureMetrics
    let states: ComponentStates
    let logger: Logger
    let captured: @Sendable (Position) -> Void

    /// The component's name in `states`.
    package static let component = "capture"
    /// The slot's, which has a state while the slot can be seen and this region captures.
    package static let slotComponent = "slot"
    /// The journal's, which has a state when there is something to say of it.
    package static let journalComponent = "capture journal"

    /// Whether what PostgreSQL commits comes into the journal as it is committed, by what capture says in `states`.
    package static func streams(_ states: ComponentStates) -> Bool {
        states.state(of: component)?.name == ComponentState.streaming.name
    }

    /// Without a `cache` what was missed is found by copying everything; without a `role` no other region can take over.
    /// `captured` hears of which transaction the journal's last entry is: when a stream begins, before `states` does, and
    /// after each append.
    package init(
        catalog: Catalog, source: any CaptureSource, journal: any CaptureJournal, cache: (any CaptureCache)? = nil,
        role: (any CaptureRole)? = nil, settings: Settings = Settings(), metrics: CaptureMetrics,
        states: ComponentStates, logger: Logger, captured: @escaping @Sendable (Position) -> Void = { _ in }
    ) {
        self.catalog = catalog
        self.source = source
        self.journal = journal
        self.cache = cache
        self.role = role
        self.settings = settings
        self.metrics = metrics
        self.states = states
        self.logger = logger
        self.captured = captured
    }

    /// Captures until the task is cancelled. What is in flight then comes again after the next start.
    package func run() async {
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await watchSlot() }
            await follow()
            tasks.cancelAll()
        }
    }

    private func follow() async {
        enter(.looking)
        var pause = Duration.milliseconds(50)
        var past = Past()
        while !Task.isCancelled {
            let began = ContinuousClock.now
            var wait: Duration?
            do {
                wait = try await step(&past)
            } catch CaptureFailure.unavailable(let reason) {
                // Peers can give nothing back meanwhile.
                past.behindSince = nil
                enter(.away(reason))
                wait = pause * Double.random(in: 0.5...1)
                pause = min(pause * 2, settings.longestPause)
            } catch CaptureFailure.stop(let stop) {
                enter(.stopped(stop))
                if stop.isOfOldChanges { past.unreadable = stop }
                if stop.clearsByItself { wait = settings.stoppedInterval } else { await Self.cancellation() }
            } catch {
                if !(error is CancellationError) { logger.error("capture failed", [.error: "\(error)"]) }
                wait = settings.longestPause
            }
            if ContinuousClock.now - began > .seconds(10) { pause = .milliseconds(50) }
            if let wait { try? await Task.sleep(for: wait) }
        }
        metrics.ended()
        states.set(Self.component, ComponentState("ended", .waiting))
    }

    /// What a look cannot see.
    struct Past {
        /// When the journal was first seen without its end.
        var behindSince: ContinuousClock.Instant?
        /// Why the stream could not be read.
        var unreadable: CaptureStop?
        /// What peers knew when one answered; nil while none has, or none was asked.
        var historyAtPeers: UInt64?
        /// Peers were asked in this run.
        var hasAsked = false
        /// The role was taken in this run.
        var hasRole = false
    }

    /// Looks, decides and does it. Answers how long to wait before the next look; nil for not at all.
    private func step(_ past: inout Past) async throws -> Duration? {
        defer { metrics.capturing.set(false) }
        let journalState = try await opened()
        var found = try await source.look(journal: journalState)
        guard let known = await journal.newestHistory() else {
            throw CaptureFailure.unavailable("Redis does not say whether another region has taken over")
        }
        found.knownHistory = max(known, past.historyAtPeers ?? 0)
        found.unreadable = past.unreadable
        metrics.historyNumber.set(found.history.map { Double($0.number) })
        let decision = try await decision(&found, &past)
        logger.debug("start decided", [.state: "\(decision)"])
        switch decision {
        case .beginHistory(let number, let newest):
            logger.info("capture begins a history", [.history: "\(number)", .timeline: "\(found.timeline)"])
            try await source.beginHistory(number, after: newest)
            CrashPoint.historyBegun.pass()
        case .createPublication:
            try await source.createPublication()
            CrashPoint.publicationCreated.pass()
        case .snapshot(let dropsSlot, let mode):
            guard let history = found.history else { return settings.longestPause }
            metrics.capturing.set(true)
            let snapshot = CaptureSnapshot(
                capture: self, journalState: journalState, history: history.number, flushed: found.flushed)
            let cache: (any CaptureCache)?
            switch mode {
            case .full:
                enter(.snapshot)
                cache = nil
            case .diff(let cause):
                enter(.resnapshot(cause))
                let since = past.behindSince ?? .now
                past.behindSince = since
                guard !cause.mayBeHealed || since + settings.healPatience <= .now else { return .milliseconds(100) }
                past.behindSince = nil
                metrics.resnapshots(cause)
                cache = try await filledCache()
            }
            guard try await snapshot.run(dropsSlot: dropsSlot, comparesWith: cache) else { return nil }
            past.unreadable = nil
            // As it was before the slot: what changed since then is seen by the next look.
            try await note(shown: found.shown, journalState)
        case .resume(let lsn):
            guard let history = found.history else { return settings.longestPause }
            past.behindSince = nil
            if journalState.shown == nil { try await note(shown: found.shown, journalState) }
            let delay = try await settlingTime()
            metrics.capturing.set(true)
            let stream = CaptureStream(
                capture: self, journalState: journalState, history: history.number, flushed: found.flushed)
            try await whileUnchanged(history.number, shown: found.shown) {
                try await stream.run(from: lsn, confirmDelay: delay)
            }
        case .wait(let reason):
            enter(.waiting(reason))
            return settings.standbyInterval
        case .stop(let stop):
            enter(.stopped(stop))
            return settings.stoppedInterval
        }
        return nil
    }

    /// Somebody else wrote to the journal.
    private func say(_ foreign: ForeignEntries) {
        enter(.writtenByOthers(foreign), of: Self.journalComponent)
        logger.error(
            "the provisioning journal was written by somebody else",
            [.entries: "\(foreign.count)", .entryFirst: "\(foreign.first)"])
    }

    private func note(shown: String, _ state: JournalState) async throws(CaptureFailure) {
        do { try await journal.note(shown: shown, birth: state.birth) } catch { throw CaptureFailure(error) }
    }

    private func opened() async throws(CaptureFailure) -> JournalState {
        do throws(Refusal) {
            switch await journal.opened() {
            case .success(let state): return state
            case .failure(.forked):
                guard let foreign = try await journal.acceptForeign() else { throw .forked }
                say(foreign)
                return try await journal.open()
            case .failure(let refusal): throw refusal
            }
        } catch {
            throw CaptureFailure(error)
        }
    }

    /// The cache, unless nothing was ever projected into it.
    private func filledCache() async throws(CaptureFailure) -> (any CaptureCache)? {
        guard let cache, try await cache.projected() > .zero else { return nil }
        return cache
    }

    private func settlingTime() async throws(CaptureFailure) -> Duration {
        if let fixed = settings.confirmDelay { return fixed }
        do { return try await journal.settlingTime() } catch { throw CaptureFailure(error) }
    }

    private static func cancellation() async {
        let (never, _) = AsyncStream<Never>.makeStream()
        for await _ in never {}
    }

    /// Shows the state, and logs it where it is another one.
    func enter(_ state: ComponentState, of component: String = Capture.component) {
        guard states.set(component, state) else { return }
        var fields: LogFields = [.component: "\(component)", .state: "\(state.name)"]
        if let reason = state.reason { fields[.reason] = "\(reason)" }
        if let advice = state.advice { fields[.advice] = "\(advice)" }
        switch state.health {
        case .working, .waiting: logger.info("capture changed its state", fields)
        case .degraded: logger.warning("capture changed its state", fields)
        case .stopped: logger.error("capture stands still", fields)
        }
    }
}

extension CaptureFailure {
    /// A journal that cannot be opened.
    init(_ refusal: Refusal) {
        switch refusal {
        case .unavailable(let reason): self = .unavailable(reason)
        case .fenced: self = .stop(.journalFenced)
        case .forked: self = .stop(.journalForked)
        case .cursor(let last): self = .unavailable("the journal moved to \(last)")
        case .unexpected(let answer): self = .stop(.redis(answer))
        }
    }
}
