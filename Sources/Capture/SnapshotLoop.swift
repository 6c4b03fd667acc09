internal import CrashPoints
internal import Journal
internal import Logging
internal import Observability
internal import PGOutput

/// What the loop of a `CaptureSnapshot` owns: how far the snapshot is, what waits for Redis, and who waits for that.
struct SnapshotLoop: ~Copyable {
    /// What is to be begun beside the loop.
    enum Step {
        /// Wait for the projection; answered by `settled`.
        case settle
        /// Read PostgreSQL: all of it, or what differs.
        case copy(all: Bool)
    }

    private enum State {
        /// The journal is told that a snapshot comes. → settling, copying
        case announcing(isDue: Bool)
        /// The projection folds what stands before the announcement. → settled
        case settling
        /// The slot may be made. → copying
        case settled(isDiff: Bool)
        /// The source copies. → ending
        case copying(isDiff: Bool)
        /// `end-snapshot` is on its way. → complete
        case ending
        /// Final.
        case complete
    }

    var window: AppendWindow
    private let capture: Capture
    private var encoder: SnapshotEncoder
    private var state = State.announcing(isDue: false)
    /// Rows that are encoded, whose readers wait for room.
    private var waiting: [AsyncStream<Void>.Continuation] = []

    init(_ snapshot: CaptureSnapshot) {
        capture = snapshot.capture
        window = AppendWindow(journal: snapshot.journalState, byteLimit: capture.settings.machine.windowBytes)
        encoder = SnapshotEncoder(
            history: snapshot.history, catalog: capture.catalog, journaled: snapshot.journalState.last,
            limits: capture.settings.batch)
    }

    var isComplete: Bool { if case .complete = state { true } else { false } }

    /// Tells the journal what comes; answers where that stands.
    mutating func announce(at lsn: LSN, isDue: Bool) throws(CaptureFailure) -> Position {
        state = .announcing(isDue: isDue)
        do {
            guard isDue else {
                try encoder.announce(at: lsn)
                submit(all: true)
                return .zero
            }
            let position = try encoder.announceDue(at: lsn)
            submit(all: true)
            return position
        } catch {
            throw .stop(error)
        }
    }

    /// Each step is given once.
    mutating func nextStep() -> Step? {
        switch state {
        case .announcing(let isDue) where window.isEmpty:
            CrashPoint.snapshotAnnounced.pass()
            state = isDue ? .settling : .copying(isDiff: false)
            return isDue ? .settle : .copy(all: true)
        case .settled(let isDiff):
            state = .copying(isDiff: isDiff)
            return .copy(all: !isDiff)
        default: return nil
        }
    }

    mutating func take(_ event: CaptureSnapshot.Event, now: Duration) throws {
        switch event {
        case .failed(let error): throw error
        case .settled(let isSettled): settled(isSettled)
        case .began(let lsn, let time, let accept):
            CrashPoint.slotCreated.pass()
            try began(at: lsn, time)
            accept.yield()
        case .copied(let rows, let accept):
            try encode { encoder throws(CaptureStop) in try encoder.encode(rows) }
            waiting.append(accept)
        case .gone(let names, let accept):
            encoder.encode(gone: names)
            waiting.append(accept)
        case .finished:
            try encode { encoder throws(CaptureStop) in try encoder.end() }
            submit(all: true)
            state = .ending
            capture.logger.info(
                "snapshot copied", [.objects: "\(encoder.rowCount)", .objectsGone: "\(encoder.goneCount)"])
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

    private mutating func settled(_ isSettled: Bool) {
        state = .settled(isDiff: isSettled)
        if !isSettled {
            capture.logger.warning("the projection stands still: everything is copied", [.component: "capture"])
        }
    }

    private mutating func began(at lsn: LSN, _ time: PostgresTimestamp) throws(CaptureFailure) {
        let isDiff = if case .copying(isDiff: true) = state { true } else { false }
        capture.logger.info("snapshot begins", [.lsn: "\(lsn)", .kind: isDiff ? "diff" : "whole"])
        try encode { encoder throws(CaptureStop) in
            try encoder.begin(isDiff ? .diff : .whole, at: lsn, time: time)
        }
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
