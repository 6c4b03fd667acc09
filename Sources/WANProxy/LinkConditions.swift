/// What one direction of a link does to the bytes on it.
package struct LinkConditions: Hashable, Sendable {
    /// Whether bytes arrive at all.
    package enum Passage: Hashable, Sendable {
        case open
        /// Nothing arrives, nothing is lost: what was sent arrives once the link is open again, as after a short cut that
        /// TCP's retransmission outlives.
        case stalled
        /// Everything is swallowed, silently, what was on its way included. A connection that lost something is reset once
        /// the link is open again, as by a host that has forgotten it; it never goes on behind a gap.
        case cut
    }

    package var passage = Passage.open
    /// From the last byte's departure to its arrival.
    package var delay: Duration = .zero
    /// Bytes that leave in a second; nil for as many as come.
    package var bytesPerSecond: Int?

    package init(passage: Passage = .open, delay: Duration = .zero, bytesPerSecond: Int? = nil) {
        self.passage = passage
        self.delay = delay
        self.bytesPerSecond = bytesPerSecond
    }

    /// Bytes that a direction of one connection holds before its sender must wait: what fits on the way and, at a given
    /// rate, a router's queue of a quarter of a second.
    package var capacity: Int {
        guard let bytesPerSecond else { return Self.mostQueued }
        let seconds = (delay + .milliseconds(250)) / .seconds(1)
        return min(Self.mostQueued, max(64 << 10, Int(Double(bytesPerSecond) * seconds)))
    }

    /// At a round trip of 200 ms no bound below 300 MB/s.
    private static let mostQueued = 32 << 20
}
