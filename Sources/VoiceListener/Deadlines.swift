/// Until when somebody waits, to a hundredth of a second; nobody is let go before. Deadlines are within
/// thousands of years.
struct Deadlines: Sendable {
    /// By the hundredth in which they are over.
    private var ids: [Int64: Set<Int>] = [:]
    /// No deadline is before this one; who had it may not wait any more.
    private var soonest: Int64?

    mutating func add(_ id: Int, at deadline: Duration) {
        let bucket = Self.bucket(deadline)
        ids[bucket, default: []].insert(id)
        soonest = min(soonest ?? bucket, bucket)
    }

    /// What was added with this deadline, if it was not taken.
    mutating func remove(_ id: Int, at deadline: Duration?) {
        guard let deadline else { return }
        let bucket = Self.bucket(deadline)
        ids[bucket]?.remove(id)
        if ids[bucket]?.isEmpty == true { ids[bucket] = nil }
    }

    /// Removes who has waited for long enough.
    mutating func take(upTo now: Duration) -> [Int] {
        var taken: [Int] = []
        for bucket in ids.keys.filter({ Self.end(of: $0) <= now }).sorted() {
            taken += (ids.removeValue(forKey: bucket) ?? []).sorted()
        }
        soonest = ids.keys.min()
        return taken
    }

    /// When to look next whether somebody has waited for long enough; nil while nobody's time is limited.
    var next: Duration? { soonest.map { Self.end(of: $0) } }

    private static func bucket(_ deadline: Duration) -> Int64 {
        let (seconds, attoseconds) = deadline.components
        return seconds * 100 + (attoseconds + 9_999_999_999_999_999) / 10_000_000_000_000_000
    }

    private static func end(of bucket: Int64) -> Duration { .milliseconds(bucket * 10) }
}
