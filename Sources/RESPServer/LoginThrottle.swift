/// Slows failed logins down: after a few of them, attempts from the same source are checked one at a time, each later
/// than the one before.
///
/// Holds a bounded number of sources. When there is no room, new ones share one place: an attacker with many addresses
/// slows down others without a history, and does not wash out what is known of itself.
package struct LoginThrottle: Sendable {
    package struct Settings: Hashable, Sendable {
        /// Failed logins of a source that have no consequence.
        package var freeFailures = 3
        /// Wait after the first failure beyond those; doubles with each.
        package var firstDelay = Duration.milliseconds(250)
        package var longestDelay = Duration.seconds(8)
        /// Attempts that would have to wait longer, behind others, are refused at once.
        package var longestWait = Duration.seconds(30)
        /// A source is forgotten when it has not failed for this long.
        package var memory = Duration.seconds(300)
        /// Sources that are remembered.
        package var sources = 4096
        /// Secrets of one source that are checked at the same time; more would all be guesses without a consequence.
        package var checks = 16
        /// After how long whoever found no room for that asks again.
        package var retry = Duration.milliseconds(50)

        package init() {}
    }

    /// When an attempt may be checked.
    package enum Verdict: Hashable, Sendable {
        case now
        /// At this time or later.
        case later(Duration)
        /// Others of the source are being checked: to be asked again at this time.
        case again(Duration)
        /// Not at all.
        case refused
    }

    private struct Record: Sendable {
        var failures = 0
        /// Attempts that were let go ahead and are not over.
        var checks = 0
        var lastFailure: Duration
        /// No attempt is checked before.
        var free: Duration
        /// The last turn that an attempt had.
        var lastTurn: Duration?
    }

    private let settings: Settings
    private var records: [ClientSource: Record] = [:]
    /// Of all that found no room.
    private var others: Record?
    /// Until then no source becomes old: who comes from ever new addresses must not have all looked through each time.
    private var nextOld: Duration?

    package init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// Sources that are remembered now.
    package var sourceCount: Int { records.count }

    /// A client wants to log in; whoever waits has the next turn of its source. Who is told `later` asks again when it comes:
    /// `turnCame`. Who is told `now` goes ahead and says what came of it: `failed` or `ended`.
    package mutating func attempted(from source: ClientSource, at now: Duration) -> Verdict {
        forgetOld(source, at: now)
        var record = record(of: source, at: now)
        var turn = now
        if record.failures > settings.freeFailures {
            turn = max(now, record.free)
            guard turn - now <= settings.longestWait else { return .refused }
            record.free = turn + delay(after: record.failures)
        } else if record.checks >= settings.checks {
            return .again(now + settings.retry)
        }
        record.checks += 1
        if turn == now { record.lastTurn = turn }
        keep(record, for: source)
        return turn > now ? .later(turn) : .now
    }

    /// An attempt was told to wait until `turn`, and has waited since `began`. Where others have failed meanwhile that may be
    /// too soon after the one before it, and it waits on, behind all the others, or is refused, and is over then.
    package mutating func turnCame(_ turn: Duration, from source: ClientSource, since began: Duration) -> Verdict {
        var record = record(of: source, at: turn)
        let delay = delay(after: record.failures)
        guard record.failures > settings.freeFailures, let last = record.lastTurn, turn - last < delay else {
            record.lastTurn = turn
            keep(record, for: source)
            return .now
        }
        let next = max(record.free, last + delay)
        guard next - began <= settings.longestWait else {
            ended(from: source, at: turn)
            return .refused
        }
        record.free = next + delay
        keep(record, for: source)
        return .later(next)
    }

    /// An attempt is over, and the secret was not wrong.
    package mutating func ended(from source: ClientSource, at now: Duration) {
        var record = record(of: source, at: now)
        record.checks = max(record.checks - 1, 0)
        guard record.checks == 0, record.failures == 0 else { return keep(record, for: source) }
        if records.removeValue(forKey: source) == nil, isFull { others = nil }
    }

    /// An attempt was checked and the secret was wrong.
    package mutating func failed(from source: ClientSource, at now: Duration) {
        var record = record(of: source, at: now)
        record.checks = max(record.checks - 1, 0)
        record.failures += 1
        record.lastFailure = now
        if record.failures > settings.freeFailures {
            record.free = max(record.free, now + delay(after: record.failures))
        }
        keep(record, for: source)
    }

    /// What is known of a source that may get a place of its own where what is old makes room.
    private mutating func record(of source: ClientSource, at now: Duration) -> Record {
        if records[source] == nil, isFull { forgetOld(at: now) }
        return held(source) ?? Record(lastFailure: now, free: now)
    }

    private func held(_ source: ClientSource) -> Record? {
        records[source] ?? (isFull ? others : nil)
    }

    private var isFull: Bool { records.count >= settings.sources }

    private func delay(after failures: Int) -> Duration {
        let doublings = min(max(failures - settings.freeFailures - 1, 0), 16)
        return min(settings.firstDelay * (1 << doublings), settings.longestDelay)
    }

    private mutating func keep(_ record: Record, for source: ClientSource) {
        if records[source] != nil || !isFull {
            records[source] = record
        } else {
            others = record
        }
    }

    private mutating func forgetOld(_ source: ClientSource, at now: Duration) {
        if let record = records[source], isOld(record, at: now) { records[source] = nil }
        if let record = others, isOld(record, at: now) { others = nil }
    }

    private mutating func forgetOld(at now: Duration) {
        if let nextOld, now <= nextOld { return }
        let old = records.filter { isOld($0.value, at: now) }
        for source in old.keys { records[source] = nil }
        // Who comes from now on is forgotten later than that.
        nextOld = records.values.reduce(now + settings.memory) { min($0, end(of: $1)) }
    }

    /// Whatever is being checked: what has not ended by then never will, such as a check that was counted for the
    /// others and ended when its source had a place of its own.
    private func isOld(_ record: Record, at now: Duration) -> Bool { now > end(of: record) }

    /// Right logins, each of which moves the next turn, do not keep a source slow.
    private func end(of record: Record) -> Duration { record.lastFailure + settings.memory }
}
