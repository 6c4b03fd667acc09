package import Journal
package import PGOutput

/// Streams one slot into one journal: decides when to read, what to append, what to confirm to PostgreSQL and when to
/// begin again. A value without I/O or clock; `now` is monotonic time from any origin.
package struct CaptureMachine: Sendable {
    package struct Settings: Hashable, Sendable {
        /// Bytes of batches that may wait for Redis; then PostgreSQL waits.
        package var windowBytes = 4 << 20
        /// How long a position must have been in the journal before it is confirmed: 2 s under `appendfsync everysec`.
        package var confirmDelay = Duration.seconds(2)
        /// How often PostgreSQL hears of us; half of `wal_sender_timeout` or less, also while Redis is down.
        package var reportInterval = Duration.milliseconds(500)
        /// How often an idle stream's position is recorded at most.
        package var idleInterval = Duration.seconds(1)
        /// How long the journal may go unasked; so an emptied Redis is noticed, and what was recorded is confirmed, though
        /// nothing is to be written.
        package var probeInterval = Duration.seconds(2)

        package init() {}
    }

    package enum Action: Sendable {
        /// Read from the replication stream, waiting until there is something; answer with `readAnswered`.
        case read
        /// Ask the journal where it ends; answer with `opened` or `refused`.
        case open
        /// Append, or record a position; answer with `appended` or `refused(number:)`.
        case append(AppendWindow.Submission)
        /// Tell PostgreSQL how far we are.
        case report(received: LSN, confirmed: LSN)
        /// Leave the stream and decide anew.
        case restart
        /// Leave the stream and stand still.
        case stop(CaptureStop)
    }

    private enum State: Sendable {
        /// → ended
        case streaming
        /// Told to restart or stop. Final.
        case ended
    }

    private let settings: Settings
    private let history: UInt64
    private var state = State.streaming
    private var window: AppendWindow
    private var acknowledgement: Acknowledgement
    private var isReading = false
    private var reportAt: Duration
    /// When an idle stream's position may be recorded, and which one that is.
    private var idleAt: Duration
    private var idleLSN = LSN.zero
    private var probeAt: Duration
    /// The newest position submitted to the journal, and the entry that it ends with then.
    private var submitted: LSN
    private var last: EntryID
    private var isReplyRequested = false
    /// The end of PostgreSQL's log as far as it told us.
    package private(set) var received: LSN

    /// A stream that resumes at the position of `journal`, which was opened just now.
    package init(journal: JournalState, settings: Settings = Settings(), now: Duration) {
        self.settings = settings
        let position = journal.position ?? .zero
        history = position.history
        let lsn = LSN(position.lsn)
        window = AppendWindow(journal: journal, byteLimit: settings.windowBytes)
        acknowledgement = Acknowledgement(delay: settings.confirmDelay, confirmed: .zero)
        acknowledgement.recorded(lsn, now: now)
        submitted = lsn
        received = lsn
        reportAt = now
        idleAt = now
        probeAt = now + settings.probeInterval
        last = journal.last
    }

    /// The newest position in the journal, by the journal's own word.
    package var recorded: LSN { acknowledgement.recorded }

    /// What PostgreSQL was or will next be told that it may forget.
    package var confirmed: LSN { acknowledgement.confirmed }

    /// Why the journal cannot be written now; nil while it can.
    package var trouble: String? { window.trouble }

    /// Everything read so far is in the journal.
    package var isDrained: Bool { window.isEmpty }

    /// When to ask for an action again though nothing was reported.
    package var deadline: Duration {
        var deadline = min(reportAt, window.deadline ?? reportAt)
        if window.isEmpty { deadline = min(deadline, probeAt) }
        if idleLSN > submitted { deadline = min(deadline, idleAt) }
        return deadline
    }

    // MARK: Facts

    /// A read was answered.
    package mutating func readAnswered() { isReading = false }

    /// PostgreSQL's log reaches up to here.
    package mutating func received(walEnd: LSN) { received = max(received, walEnd) }

    /// The server wants to hear from us at once.
    package mutating func replyRequested() { isReplyRequested = true }

    /// Read changes make this batch.
    package mutating func encoded(_ batch: CaptureBatch) {
        if let position = batch.position { submitted = max(submitted, LSN(position.lsn)) }
        last = batch.last
        idleLSN = .zero
        window.submitted(batch)
    }

    /// Everything before `lsn` is in the batches encoded so far, and no transaction is open. So another database's
    /// traffic never pins WAL. PostgreSQL says it once: what comes too soon is recorded later.
    package mutating func idle(at lsn: LSN) { idleLSN = max(idleLSN, lsn) }

    /// The journal took a batch. Answers with it; nil if it was known to be there.
    @discardableResult
    package mutating func appended(_ number: Int, now: Duration) -> CaptureBatch? {
        guard let submission = window.appended(number) else { return nil }
        acknowledgement.proven(at: submission.sentAt)
        record(submission.batch, now: now)
        return submission.batch
    }

    /// The journal refused a batch.
    package mutating func refused(_ number: Int, _ refusal: Refusal, now: Duration) {
        window.refused(number, refusal, now: now)
    }

    /// The journal did not say where it ends.
    package mutating func refused(_ refusal: Refusal, now: Duration) { window.refused(refusal, now: now) }

    /// Where the journal ends. Answers with the batches that turn out to be there.
    @discardableResult
    package mutating func opened(_ journal: JournalState, now: Duration) -> [CaptureBatch] {
        let found = window.opened(journal)
        for batch in found { record(batch, now: now) }
        return found
    }

    // MARK: Actions

    /// The next thing to do, or nil until another fact is reported or `deadline` has come.
    package mutating func nextAction(now: Duration) -> Action? {
        guard case .streaming = state else { return nil }
        recordIdle(now: now)
        probe(now: now)
        switch window.nextAction(now: now) {
        case .open: return .open
        case .append(let submission): return .append(submission)
        case .restart: return end(.restart)
        case .stop(let stop): return end(.stop(stop))
        case nil: break
        }
        if now >= reportAt || isReplyRequested {
            reportAt = now + settings.reportInterval
            isReplyRequested = false
            return .report(received: received, confirmed: confirmed)
        }
        if !isReading && window.hasRoom {
            isReading = true
            return .read
        }
        return nil
    }

    /// Records how far an idle stream has come.
    private mutating func recordIdle(now: Duration) {
        guard idleLSN > submitted, now >= idleAt || isReplyRequested,
            let position = Position(history: history, lsn: idleLSN.rawValue)
        else { return }
        idleAt = now + settings.idleInterval
        encoded(CaptureBatch(position: position, behind: last))
    }

    /// Records the position again when nothing else has asked the journal for a while: its guard says if it is no longer
    /// what it was.
    private mutating func probe(now: Duration) {
        guard window.isEmpty, now >= probeAt, let position = Position(history: history, lsn: submitted.rawValue)
        else { return }
        encoded(CaptureBatch(position: position, behind: last))
    }

    private mutating func record(_ batch: CaptureBatch, now: Duration) {
        probeAt = now + settings.probeInterval
        if let position = batch.position { acknowledgement.recorded(LSN(position.lsn), now: now) }
    }

    private mutating func end(_ action: Action) -> Action {
        state = .ended
        return action
    }
}
