internal import PGOutput

/// Whether a stream has come to the present once, so that what is committed comes into the journal as it is committed.
/// A value; `now` is the time since the stream began.
///
/// A stream begins with what was committed while there was none. The journal has all of that when it has come to where
/// PostgreSQL's log ended before. Where that took long, more was committed meanwhile, and transactions have to be young
/// as well.
struct CatchUp: Sendable {
    /// What was committed in less time is no backlog.
    private static let shortTime = Duration.seconds(5)
    /// A transaction that is older when the journal has it is late.
    private static let youth = Duration.seconds(2)
    /// No record of the log has so many bytes.
    private static let recordBytes: UInt64 = 1 << 20

    private var goal: LSN
    private var keepalives = 0
    /// Until then nothing late may have come.
    private var lateUntil = Duration.zero
    /// Stays so.
    private(set) var isDone = false

    /// PostgreSQL's log ended at `goal` before the stream began.
    init(to goal: LSN) { self.goal = goal }

    /// PostgreSQL has sent everything up to `end`, and waits for more to be committed. The first such word comes when the
    /// stream opens, and is of where the slot stands. A goal that lies a little beyond is within a record that the disk has
    /// in part: nobody knows when the rest comes.
    mutating func sent(upTo end: LSN) {
        keepalives &+= 1
        guard keepalives > 1, goal.bytes(since: end) < Self.recordBytes else { return }
        goal = min(goal, end)
    }

    /// The journal has a transaction of this age.
    mutating func took(aged age: Duration, now: Duration) {
        lateUntil = age > Self.youth ? now + Self.youth : .zero
    }

    /// The journal has everything up to `recorded`.
    mutating func reached(_ recorded: LSN, now: Duration) {
        guard !isDone, recorded >= goal else { return }
        isDone = now <= Self.shortTime || now >= lateUntil
    }
}
