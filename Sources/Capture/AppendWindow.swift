package import Journal

/// Keeps batches on their way to the journal: many in flight, each behind its predecessor, until the journal has them.
///
/// The guard of the journal takes a batch only right behind its predecessor, so one refusal refuses all that follow it.
/// The window then waits for the answers still owed, asks the journal where it ends, and sends again what it lacks. What
/// it believes about the journal is never older than the last `opened`.
package struct AppendWindow: Sendable {
    /// A batch and its number, by which its answer is told.
    package struct Submission: Sendable {
        package let number: Int
        package let batch: CaptureBatch
        /// When it was sent last.
        fileprivate(set) package var sentAt = Duration.zero
    }

    package enum Action: Sendable {
        /// Ask the journal where it ends; answer with `opened` or `refused`.
        case open
        /// Append; answer with `appended` or `refused(number:)`.
        case append(Submission)
        /// The journal ends where no batch begins, so what it lacks is no longer here; or it is another one. Look again.
        case restart
        /// Stand still.
        case stop(CaptureStop)
    }

    private enum State: Sendable {
        /// Where the journal ends is not known. → opening
        case unknown(retryAt: Duration)
        /// The journal was asked. → flowing, unknown, ended
        case opening
        /// Batches flow. → draining, ended
        case flowing
        /// One was refused; answers to those behind it are awaited, whatever they say. → unknown
        case draining
        /// Told to restart or stop. Final.
        case ended
    }

    private static let firstRetry = Duration.milliseconds(50)
    private static let lastRetry = Duration.seconds(1)

    private let byteLimit: Int
    private let countLimit: Int
    private let birth: String
    private var state = State.flowing
    private var ending: Action?
    /// Oldest first. The first `sentCount` of them are on their way.
    private var queue: [Submission] = []
    private var sentCount = 0
    private var owed = 0
    private var nextNumber = 0
    private var retryDelay = AppendWindow.firstRetry
    /// Bytes of batches not yet in the journal.
    package private(set) var byteCount = 0
    /// Why the journal cannot be written now; nil while it can.
    package private(set) var trouble: String?

    /// A window onto the journal that was just opened. `byteLimit` bounds what waits for an answer.
    package init(journal: JournalState, byteLimit: Int = 4 << 20, countLimit: Int = 64) {
        precondition(byteLimit > 0 && countLimit > 0, "a window of nothing ships nothing")
        birth = journal.birth
        self.byteLimit = byteLimit
        self.countLimit = countLimit
    }

    /// Whether more should be read from the source.
    package var hasRoom: Bool { byteCount < byteLimit && queue.count < countLimit }

    /// Everything submitted is in the journal.
    package var isEmpty: Bool { queue.isEmpty }

    /// When to ask for an action again though nothing was reported.
    package var deadline: Duration? {
        if case .unknown(let retryAt) = state, owed == 0 { retryAt } else { nil }
    }

    // MARK: Facts

    /// A batch stands behind those submitted before.
    package mutating func submitted(_ batch: CaptureBatch) {
        queue.append(Submission(number: nextNumber, batch: batch))
        nextNumber += 1
        byteCount += batch.byteCount
    }

    /// The journal took the batch. Answers with it; nil if it was known to be there.
    package mutating func appended(_ number: Int) -> Submission? {
        owed -= 1
        retryDelay = Self.firstRetry
        guard let first = queue.first, first.number == number else { return nil }
        return removeFirst()
    }

    /// The journal refused the batch, and will refuse those behind it.
    package mutating func refused(_ number: Int, _ refusal: Refusal, now: Duration) {
        owed -= 1
        failed(refusal, now: now)
    }

    /// The journal did not say where it ends.
    package mutating func refused(_ refusal: Refusal, now: Duration) {
        if case .opening = state { state = .draining }
        failed(refusal, now: now)
    }

    /// Where the journal ends. Answers with the batches that turn out to be there. A position whose place has gone by and
    /// that the journal does not hold is dropped: a later one, or a probe, records as much.
    package mutating func opened(_ journal: JournalState) -> [CaptureBatch] {
        guard case .opening = state else { return [] }
        trouble = nil
        guard journal.birth == birth else {
            end(.restart)
            return []
        }
        var found: [CaptureBatch] = []
        while let first = queue.first {
            if first.batch.isHeld(by: journal) {
                found.append(removeFirst().batch)
            } else if first.batch.isOvertaken(by: journal) {
                _ = removeFirst()
            } else {
                break
            }
        }
        guard let first = queue.first else {
            // Nothing is left to compare: all was there, or the journal went back, which its next append will tell.
            state = .flowing
            return found
        }
        if first.batch.previous == journal.last {
            state = .flowing
        } else {
            end(.restart)
        }
        return found
    }

    // MARK: Actions

    /// The next thing to do, or nil until another fact is reported or `deadline` has come.
    package mutating func nextAction(now: Duration) -> Action? {
        switch state {
        case .ended:
            defer { ending = nil }
            return ending
        case .unknown(let retryAt) where now >= retryAt:
            state = .opening
            return .open
        case .flowing where sentCount < queue.count:
            defer { sentCount += 1 }
            owed += 1
            queue[sentCount].sentAt = now
            return .append(queue[sentCount])
        case .draining where owed == 0:
            // The last answer owed was no refusal: a position was refused, and what stood behind it was taken.
            sentCount = 0
            state = .unknown(retryAt: now)
            return nextAction(now: now)
        case .unknown, .opening, .flowing, .draining:
            return nil
        }
    }

    private mutating func failed(_ refusal: Refusal, now: Duration) {
        if case .ended = state { return }
        switch refusal {
        // Another journal stands there now: only a fresh look can say which.
        case .fenced, .forked: return end(.restart)
        case .unexpected(let answer): return end(.stop(.redis(answer)))
        case .unavailable(let reason): trouble = reason
        case .cursor: break
        }
        state = .draining
        guard owed == 0 else { return }
        sentCount = 0
        // A cursor that moved is asked for at once, a server in trouble after a while.
        state = .unknown(retryAt: trouble == nil ? now : now + retryDelay)
        retryDelay = min(retryDelay * 2, Self.lastRetry)
    }

    private mutating func end(_ action: Action) {
        state = .ended
        ending = action
    }

    private mutating func removeFirst() -> Submission {
        let first = queue.removeFirst()
        byteCount -= first.batch.byteCount
        sentCount = max(0, sentCount - 1)
        return first
    }
}
