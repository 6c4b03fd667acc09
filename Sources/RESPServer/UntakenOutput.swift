internal import NIOCore

/// What waits for a client that takes less than it is sent, and how it gets on with that; a value without a clock.
///
/// It is given time anew as often as it has taken some, so that a slow link gets a large reply, though not for ever.
struct UntakenOutput: Sendable {
    /// When it is looked at first, and how often then: most clients have taken all by then.
    private static let firstLook = TimeAmount.seconds(1)
    private static let interval = TimeAmount.milliseconds(500)
    /// Bytes that it has to take within a stall time.
    static let leastTaken = 64 << 10
    /// Stall times within which it has to have caught up.
    static let longestStall: Int64 = 10

    private(set) var bytes: Int
    /// When the client took something, as far as that was seen; when it began to take less, before it does.
    private(set) var lastTaken: NIODeadline
    private(set) var nextLook: NIODeadline
    private let began: NIODeadline
    /// Since when it is to take `leastTaken`, and how much of that it has.
    private var markBegan: NIODeadline
    private var taken = 0
    /// Whether the port has it in its total.
    var isCounted = false

    /// So many bytes wait for a client that has begun to take less than it is sent.
    init(bytes: Int, at now: NIODeadline) {
        self.bytes = bytes
        began = now
        lastTaken = now
        markBegan = now
        nextLook = now + Self.firstLook
    }

    /// It was looked at: so many bytes are left.
    mutating func left(_ count: Int, at now: NIODeadline) {
        if now >= nextLook { nextLook = now + Self.interval }
        defer { bytes = count }
        guard count < bytes else { return }
        lastTaken = now
        taken += bytes - count
        guard taken >= Self.leastTaken else { return }
        taken = 0
        markBegan = now
    }

    /// When the client has taken too little for too long, unless it takes more.
    func end(of stallTime: TimeAmount) -> NIODeadline {
        min(markBegan + stallTime, began + stallTime * Self.longestStall)
    }

    /// With what the client was sent just now so many bytes wait.
    mutating func sent(upTo count: Int) { bytes = count }
}
