/// A sign of life that a link leaves in the peer's Redis: its number, and the newest of the peer's own that was seen here.
package struct Knock: Hashable, Sendable {
    package let number: UInt64
    package let seen: UInt64

    package init(number: UInt64, seen: UInt64) {
        self.number = number
        self.seen = seen
    }

    /// Reads what a peer left; nil for anything else.
    package init?(text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 2, let number = UInt64(words[0]), let seen = UInt64(words[1]) else { return nil }
        self.init(number: number, seen: seen)
    }

    /// As it is left: `NUMBER SEEN`.
    package var text: String { "\(number) \(seen)" }
}

/// Tells which way a link that is down is cut (operations.md, fault matrix).
///
/// One connection alone cannot tell: nothing comes back whether requests or answers are lost. So each region's links knock
/// at their peers, and each region looks at what the peers left in its own Redis: that they still knock, and which of its
/// own knocks they have seen. Where nothing is heard of a peer, it does not guess.
package struct LinkHearing: Sendable {
    /// Knocks are left so often, and looked for twice as often.
    package static let interval = Duration.milliseconds(500)
    /// So many new knocks of the peer, seen since the first of ours that was not answered, tell that it is heard: one may
    /// have come just before everything was cut.
    private static let convincing = 2

    /// The way that is cut.
    package enum Cut: String, Hashable, Sendable, CaseIterable {
        /// The peer is heard, and what is sent to it does not arrive.
        case out
        /// What is sent to the peer arrives, and its answers do not come back.
        case `in`
        /// Nothing is heard of the peer since its last answer: cut both ways, or at least towards here; or it is gone.
        case unknown
    }

    private let first: UInt64
    private var number: UInt64
    private var answered: UInt64
    private var peer: Knock?
    /// New knocks of the peer that were seen while one of ours was not answered.
    private var heard = 0
    private var seenByPeer: UInt64 = 0

    /// Begins at a number that no earlier process used lately: random.
    package init(first: UInt64) {
        self.first = first
        number = first
        answered = first
    }

    // MARK: Facts

    /// Leaves the next knock.
    package mutating func knock() -> Knock {
        if number == answered { heard = 0 }
        number &+= 1
        return Knock(number: number, seen: peer?.number ?? 0)
    }

    /// The peer's Redis answered to a knock.
    package mutating func answered(_ knock: Knock) {
        answered = max(answered, knock.number)
        heard = 0
    }

    /// What the peer has left here. The first one seen may be old.
    package mutating func looked(_ knock: Knock) {
        guard knock != peer else { return }
        if peer != nil, number > answered { heard += 1 }
        peer = knock
        if knock.seen > first, knock.seen <= number { seenByPeer = knock.seen }
    }

    // MARK: Findings

    /// What is known of a link that is down.
    package var cut: Cut {
        guard heard >= Self.convincing else { return .unknown }
        // One more may have arrived just before the answer to it was lost with all the rest.
        return seenByPeer > answered &+ 1 ? .in : .out
    }
}
