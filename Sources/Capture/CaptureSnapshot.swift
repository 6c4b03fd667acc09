internal import Journal
internal import Logging
internal import Observability
internal import PGOutput

/// Makes the slot and brings a first snapshot into the journal: drives an `AppendWindow` and a `SnapshotEncoder`.
///
/// The readers of the source wait until the window has room for what they bring.
struct CaptureSnapshot {
    private enum Event: Sendable {
        case began(LSN, PostgresTimestamp, accept: AsyncStream<Void>.Continuation)
        case copied(SnapshotRows, accept: AsyncStream<Void>.Continuation)
        case finished
        case failed(any Error)
        case appended(Int, Result<Void, Refusal>)
        case opened(Result<JournalState, Refusal>)
        case woke(at: Duration)
    }

    let capture: Capture
    let journalState: JournalState
    let history: UInt64
    /// PostgreSQL's end of log just now.
    let flushed: LSN

    /// Returns when the journal holds `end-snapshot`, or has to be looked at again.
    func run(dropsSlot: Bool) async throws {
        let (events, feed) = AsyncStream<Event>.makeStream()
        try await withThrowingDiscardingTaskGroup { group in
            defer { group.cancelAll() }
            var loop = Loop(self)
            var timer = LoopTimer()
            var incoming = events.makeAsyncIterator()
            try loop.announce(at: flushed)
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
                        return
                    case .stop(let stop):
                        throw CaptureFailure.stop(stop)
                    }
                }
                if loop.mayCopy { group.addTask { await copy(dropsSlot: dropsSlot, feed) } }
                if let deadline = loop.window.deadline {
                    timer.arm(for: deadline, in: &group) { feed.yield(.woke(at: $0)) }
                }
                guard let event = await incoming.next() else { throw CancellationError() }
                if case .woke(let deadline) = event { timer.fired(at: deadline) }
                try loop.take(event, now: timer.now)
            }
        }
    }

    private func copy(dropsSlot: Bool, _ feed: AsyncStream<Event>.Continuation) async {
        do {
            try await capture.source.snapshot(
                dropsSlot: dropsSlot,
                began: { lsn, time in try await Self.accepted { feed.yield(.began(lsn, time, accept: $0)) } },
                copied: { rows in try await Self.accepted { feed.yield(.copied(rows, accept: $0)) } })
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

extension CaptureSnapshot {
    /// What the loop owns.
    private struct Loop: ~Copyable {
        private enum State {
            /// The journal is told that a snapshot comes. → copying
            case announcing
            /// The source copies. → ending
            case copying
            /// `end-snapshot` is on its way. → complete
            case ending
            /// Final.
            case complete
        }

        var window: AppendWindow
        private let capture: Capture
        private var encoder: SnapshotEncoder
        private var state = State.announcing
        /// Rows that are encoded, whose readers wait for room.
        private var waiting: [AsyncStream<Void>.Continuation] = []

        init(_ snapshot: CaptureSnapshot) {
            capture = snapshot.capture
            window = AppendWindow(
                journal: snapshot.journalState, byteLimit: capture.settings.machine.windowBytes)
            encoder = SnapshotEncoder(
                history: snapshot.history, catalog: capture.catalog, journaled: snapshot.journalState.last,
                limits: capture.settings.batch)
        }

        var isComplete: Bool { if case .complete = state { true } else { false } }

        /// True once, when the slot may be made.
        var mayCopy: Bool {
            mutating get {
                guard case .announcing = state, window.isEmpty else { return false }
                state = .copying
                return true
            }
        }

        mutating func announce(at lsn: LSN) throws(CaptureFailure) {
            do { try encoder.announce(at: lsn) } catch { throw .stop(error) }
            submit(all: true)
        }

        mutating func take(_ event: Event, now: Duration) throws {
            switch event {
            case .failed(let error): throw error
            case .began(let lsn, let time, let accept):
                capture.logger.info("snapshot begins", [.lsn: "\(lsn)"])
                try encode { encoder throws(CaptureStop) in try encoder.begin(at: lsn, time: time) }
                accept.yield()
            case .copied(let rows, let accept):
                try encode { encoder throws(CaptureStop) in try encoder.encode(rows) }
                waiting.append(accept)
            case .finished:
                try encode { encoder throws(CaptureStop) in try encoder.end() }
                submit(all: true)
                state = .ending
                capture.logger.info("snapshot copied", [.objects: "\(encoder.rowCount)"])
            case .appended(let number, .success): _ = window.appended(number)
            case .appended(let number, .failure(let refusal)): window.refused(number, refusal, now: now)
            case .opened(.success(let state)): _ = window.opened(state)
            case .opened(.failure(let refusal)): window.refused(refusal, now: now)
            case .woke: break
            }
            submit(all: false)
            if window.hasRoom {
                for accept in waiting { accept.yield() }
                waiting.removeAll()
            }
            if case .ending = state, window.isEmpty { state = .complete }
        }

        private mutating func encode(
            _ body: (inout SnapshotEncoder) throws(CaptureStop) -> Void
        ) throws(CaptureFailure) {
            do { try body(&encoder) } catch { throw .stop(error) }
        }

        private mutating func submit(all: Bool) {
            for batch in encoder.takeBatches(all: all) { window.submitted(batch) }
        }
    }
}
