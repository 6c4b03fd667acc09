internal import Journal

/// How far a peer's clock is ahead of this region's, as far as that is certain.
///
/// The ID of an entry that Redis numbered is the time of its birth by the peer's clock. It is seen here later, so the peer's
/// clock is ahead at least by as much as the entry seems to come from the future. A clock that is behind looks like a
/// slow mirror; but that peer, in its turn, sees this region's clock ahead. https://redis.io/docs/latest/commands/xadd/
struct ClockSkew: Sendable {
    /// A lower bound at a time. The higher ones are closer to the truth: there the entry was younger.
    private struct Sighting: Sendable {
        let time: Duration
        let ahead: Duration
    }

    /// What clocks that are kept by NTP, and a server's cached time, may differ by.
    static let tolerance = Duration.milliseconds(500)
    /// How long a sighting counts.
    private static let memory = Duration.seconds(60)

    private var sightings: [Sighting] = []

    /// `newest` was there when the local clock, µs since 1970, had not passed `local`; at `time` by a clock that does not
    /// jump.
    mutating func seen(_ newest: EntryID, local: Int64, at time: Duration) {
        sightings.removeAll { $0.time <= time - Self.memory }
        let (born, overflow) = Int64(clamping: newest.first).multipliedReportingOverflow(by: 1000)
        let (difference, isBeyond) = (overflow ? Int64.max : born).subtractingReportingOverflow(local)
        let microseconds = isBeyond ? Int64.max : difference
        guard microseconds > 0 else { return }
        sightings.append(Sighting(time: time, ahead: .microseconds(microseconds)))
    }

    /// Nothing could be seen at `time`.
    mutating func notSeen(at time: Duration) { sightings.removeAll { $0.time <= time - Self.memory } }

    /// By so much at least; nil where it is not certain that it is ahead at all.
    var ahead: Duration? { sightings.map(\.ahead).max() }
}
