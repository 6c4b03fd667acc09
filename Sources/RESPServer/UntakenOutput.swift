internal import NIOCore

/// What waits for a client that takes less than it is sent, and when it took some of it; a value without a clock.
struct UntakenOutput: Sendable {
    /// When it is looked at first, and how often then: most clients have taken all by then.
    private static let firstLook = TimeAmount.seconds(1)
    private static let interval = TimeAmount.milliseconds(500)

    private(set) var bytes: Int
    /// When the client took something, as far as that was seen; when it began to take less, before it does.
    private(set) var lastTaken: NIODeadline
    private(set) var nextLook: NIODeadline
    /// Whether the port has it in its total.
    var isCounted = false

    /// So many bytes wait for a client that has begun to take less than it is sent.
    init(bytes: Int, at now: NIODeadline) {
        self.bytes = bytes
        lastTaken = now
        nextLook = now + Self.firstLook
    }

    /// It was looked at: so many bytes are left.
    mutating func left(_ count: Int, at now: NIODeadline) {
        if count < bytes { lastTaken = now }
        bytes = count
        if now >= nextLook { nextLook = now + Self.interval }
    }

    /// With what the client was sent just now so many bytes wait.
    mutating func sent(upTo count: Int) { bytes = count }
}
