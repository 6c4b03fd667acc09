package import PGOutput

/// Decides what PostgreSQL may be told to forget: only what the journal's meta holds, and that for long enough to have
/// reached Redis' disk.
///
/// Under `appendfsync everysec` a crash of Redis takes up to two seconds of journal with it; confirmations that trail by
/// as much let the same changes come again. The passing of time alone proves nothing, since the crash may have happened
/// meanwhile: a later guarded write has to have found the journal as it was.
package struct Acknowledgement: Sendable {
    /// Everything up to `lsn` was in the journal at `at`; positions recorded soon after `since` are told together.
    private struct Record: Sendable {
        var lsn: LSN
        var at: Duration
        let since: Duration
    }

    /// How long a position must have been in the journal.
    package let delay: Duration
    private var waiting: [Record] = []
    /// PostgreSQL may forget everything before.
    package private(set) var confirmed: LSN
    /// The newest position in the journal.
    package private(set) var recorded: LSN

    package init(delay: Duration, confirmed: LSN) {
        self.delay = delay
        self.confirmed = confirmed
        recorded = confirmed
    }

    /// The journal's position is now `lsn`.
    package mutating func recorded(_ lsn: LSN, now: Duration) {
        guard lsn > recorded else { return }
        recorded = lsn
        guard delay > .zero else {
            confirmed = lsn
            return
        }
        // At most some thirty records wait, however fast transactions come.
        if let last = waiting.last, now - last.since < delay / 32 {
            waiting[waiting.count - 1].lsn = lsn
            waiting[waiting.count - 1].at = now
        } else {
            waiting.append(Record(lsn: lsn, at: now, since: now))
        }
    }

    /// A guarded write that was sent at `time` found the journal to go on from everything recorded before: what had been
    /// there for long enough then is safe.
    package mutating func proven(at time: Duration) {
        let safe = waiting.prefix { $0.at + delay <= time }
        guard let last = safe.last else { return }
        confirmed = last.lsn
        waiting.removeFirst(safe.count)
    }
}
