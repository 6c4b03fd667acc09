/// When which table of a catalog is verified: a pass soon after the start and whenever one is asked for, table after table;
/// else passes spread evenly over the interval, so that PostgreSQL never reads everything at once. A value without clock;
/// `now` is monotonic time from any origin.
package struct VerificationSchedule: Sendable {
    private let tables: Int
    private let interval: Duration
    private var next = 0
    private var dueAt: Duration
    private var isUrgent = true
    private var isEqual = true

    /// Passes over so many tables, one an interval, the first one after `delay`.
    package init(tables: Int, interval: Duration, delay: Duration, now: Duration) {
        precondition(tables > 0, "a catalog has tables")
        self.tables = tables
        self.interval = interval
        dueAt = now + delay
    }

    /// The table to verify now; nil for none yet.
    package func table(now: Duration) -> Int? { now >= dueAt ? next : nil }

    /// A pass over everything is wanted, from its beginning and at this time.
    package mutating func requested(at time: Duration) {
        next = 0
        isEqual = true
        isUrgent = true
        dueAt = time
    }

    /// A table was verified. Answers, when that ends a pass, whether all was equal.
    package mutating func verified(isEqual: Bool, now: Duration) -> Bool? {
        self.isEqual = self.isEqual && isEqual
        next += 1
        let isOver = next == tables
        defer {
            if isOver {
                next = 0
                self.isEqual = true
                isUrgent = false
            }
        }
        dueAt = isUrgent && !isOver ? now : now + interval / tables
        return isOver ? self.isEqual : nil
    }

    /// A table could not be verified: it is tried again after `pause`.
    package mutating func failed(pause: Duration, now: Duration) { dueAt = now + pause }
}
