internal import CrashPoints
internal import Journal
internal import Logging
internal import Observability
internal import PGOutput

/// Makes the slot and brings what PostgreSQL holds where it begins into the journal, all or what differs from the cache:
/// drives an `AppendWindow` and a `SnapshotEncoder`.
///
/// The readers of the source wait until the window has room for what they bring.
struct CaptureSnapshot {
    enum Event: Sendable {
        case began(LSN, PostgresTimestamp, accept: AsyncStream<Void>.Continuation)
        case copied(SnapshotRows, accept: AsyncStream<Void>.Continuation)
        case gone([ProvisioningEntry.ObjectName], accept: AsyncStream<Void>.Continuation)
        case finished
        case failed(any Error)
        /// The cache holds everything that the journal held before; or it does not come to that.
        case settled(Bool)
        case appended(Int, Result<Void, Refusal>)
        case opened(Result<JournalState, Refusal>)
        case woke(at: Duration)
    }

    let capture: Capture
    let journalState: JournalState
    let history: UInt64
    /// PostgreSQL's end of log just now.
    let flushed: LSN

    /// Returns whether the journal holds `end-snapshot` now; else it has to be looked at again. Only what differs from `cache` is
    /// journaled, if there is one whose projection follows.
    func run(dropsSlot: Bool, comparesWith cache: (any CaptureCache)?) async throws -> Bool {
        let (events, feed) = AsyncStream<Event>.makeStream()
        return try await withThrowingDiscardingTaskGroup { group in
            defer { group.cancelAll() }
            var loop = SnapshotLoop(self)
            var timer = LoopTimer()
            var incoming = events.makeAsyncIterator()
            let announced = try loop.announce(at: flushed, isDue: cache != nil)
            while !loop.isComplete {
                while let action = loop.window.nextAction(now: timer.now) {
                    switch action {
                    case .open:
                        group.addTask { [journal = capture.journal] in
                            feed.yield(.opened(await journal.opened()))
                        }
                    case .append(let submission):
                        capture.journal.append(submission.batch, birth: journalState.birth) { result in
                            feed.yield(.appended(submission.number, result))
                        }
                    case .restart:
                        return false
                    case .stop(let stop):
                        throw CaptureFailure.stop(stop)
                    }
                }
                switch loop.nextStep() {
                case .settle:
                    group.addTask { await settle(cache, upTo: announced, feed) }
                case .copy(let all):
                    group.addTask { await copy(dropsSlot: dropsSlot, all: all, feed) }
                case nil: break
                }
                if let deadline = loop.window.deadline {
                    timer.arm(for: deadline, in: &group) { feed.yield(.woke(at: $0)) }
                }
                guard let event = await incoming.next() else { throw CancellationError() }
                if case .woke(let deadline) = event { timer.fired(at: deadline) }
                try loop.take(event, now: timer.now)
                switch event {
                case .settled: CrashPoint.snapshotSettled.pass()
                case .copied: CrashPoint.snapshotCopied.pass()
                case .gone: CrashPoint.snapshotGone.pass()
                case .finished: CrashPoint.snapshotEnded.pass()
                default: break
                }
            }
            return true
        }
    }

    /// Waits until the projection has come to `position`, as long as it moves.
    private func settle(
        _ cache: (any CaptureCache)?, upTo position: Position, _ feed: AsyncStream<Event>.Continuation
    ) async {
        guard let cache else { return _ = feed.yield(.settled(false)) }
        var newest = Position.zero
        var movedAt = ContinuousClock.now
        do {
            while newest < position {
                let projected = try await cache.projected()
                let now = ContinuousClock.now
                if projected > newest { movedAt = now }
                newest = max(newest, projected)
                guard now - movedAt < capture.settings.projectionPatience else { break }
                if newest < position { try await Task.sleep(for: .milliseconds(20)) }
            }
            feed.yield(.settled(newest >= position))
        } catch {
            feed.yield(.failed(error))
        }
    }

    private func copy(dropsSlot: Bool, all: Bool, _ feed: AsyncStream<Event>.Continuation) async {
        do {
            try await capture.source.snapshot(
                dropsSlot: dropsSlot, all: all,
                sink: SnapshotSink(
                    began: { lsn, time in try await Self.accepted { feed.yield(.began(lsn, time, accept: $0)) } },
                    copied: { rows in try await Self.accepted { feed.yield(.copied(rows, accept: $0)) } },
                    gone: { names in try await Self.accepted { feed.yield(.gone(names, accept: $0)) } }))
            feed.yield(.finished)
        } catch {
            feed.yield(.failed(error))
        }
    }

    /// Hands something to the loop and waits until it has taken it.
    private static func accepted(_ offer: (AsyncStream<Void>.Continuation) -> Void) async throws {
        let (answers, accept) = AsyncStream<Void>.makeStream()
        offer(accept)
        for await _ in answers { return }
        throw CancellationError()
    }
}
