/// How much is handed over and not yet acknowledged, and whether more may be. No lock, no I/O.
internal struct InFlight {
    private let messageLimit: Int
    private let byteLimit: Int
    private(set) var messages = 0
    private(set) var bytes = 0

    init(messageLimit: Int, byteLimit: Int) {
        self.messageLimit = max(1, messageLimit)
        self.byteLimit = max(1, byteLimit)
    }

    /// Whether a message of this size may be handed over now. One larger than the limit may when it is alone.
    func admits(byteCount: Int) -> Bool {
        messages == 0 || (messages < messageLimit && bytes + byteCount <= byteLimit)
    }

    /// Whether those who wait may go on: at half the limits, so that they do so for many messages at once.
    var hasRoom: Bool { messages <= messageLimit / 2 && bytes <= byteLimit / 2 }

    mutating func handedOver(byteCount: Int) {
        messages += 1
        bytes += byteCount
    }

    mutating func settled(byteCount: Int) {
        messages -= 1
        bytes -= byteCount
    }
}
