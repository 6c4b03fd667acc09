/// How long a link lets entries gather before it reads on.
///
/// Where packets are lost each small one is another that may be, and all behind it waits until it was sent again, a round trip
/// at least. There a few entries in one packet come sooner than one in each: at 200 entries/s and 2 % the lag's p99 is made by
/// packets that are lost twice, and those are a quarter as many at a quarter of the packets.
package struct Gathering: Sendable {
    /// What the way to the peer does, as its end here has measured it.
    package struct Path: Hashable, Sendable {
        package let roundTrip: Duration
        /// Packets that were sent again since the connection began.
        package let retransmissions: UInt32

        package init(roundTrip: Duration, retransmissions: UInt32) {
            self.roundTrip = roundTrip
            self.retransmissions = retransmissions
        }
    }

    /// A path counts as one that loses packets for so long after the last was seen to be.
    private static let memory = Duration.seconds(10)
    private static let longest = Duration.milliseconds(25)
    /// Less is not worth a timer.
    private static let shortest = Duration.milliseconds(1)

    /// Zero where nothing is gained.
    package private(set) var pause = Duration.zero
    private var retransmissions: UInt32?
    private var lossyUntil: Duration?

    package init() {}

    /// The path was looked at, at `now` by a clock that does not jump; about once a second.
    package mutating func looked(at path: Path, now: Duration) {
        if let retransmissions, path.retransmissions != retransmissions { lossyUntil = now + Self.memory }
        retransmissions = path.retransmissions
        let wanted = min(path.roundTrip / 10, Self.longest)
        let isLossy = lossyUntil.map { now < $0 } ?? false
        pause = isLossy && wanted >= Self.shortest ? wanted : .zero
    }
}
