/// The wall clock of a host: it may be set anew at any time, and runs too fast or too slow.
///
/// Redis makes IDs of it, PostgreSQL dates commits with it. Nothing else that the simulation drives reads one: leases,
/// deadlines and pauses go by a monotonic clock of the worker process that waits (`Worker.origin`).
struct HostClock: Hashable, Sendable {
    /// What it showed when it was set last, ms since 1970.
    private var shown = 1_763_800_000_000
    /// When that was, ms of the simulation.
    private var setAt = 0
    /// By how many millionths it is too fast.
    private var drift = 0

    /// What it shows at a time of the simulation, ms since 1970.
    func time(at now: Int) -> Int {
        let elapsed = now - setAt
        return shown + elapsed + elapsed * drift / 1_000_000
    }

    /// Sets it anew: by so many ms, and too fast by so many millionths from now on.
    mutating func set(by offset: Int, drift: Int, at now: Int) {
        shown = time(at: now) + offset
        setAt = now
        self.drift = drift
    }
}
