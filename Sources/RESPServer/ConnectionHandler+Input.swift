internal import RESP

/// What is kept of what a client sent is counted with that of others while it is much; else it costs nothing.
extension ConnectionHandler {
    /// Bytes that go uncounted: those of 10,000 clients are no danger, and small commands come and go without a lock.
    private static let uncountedBytes = 8 << 10

    /// Tells the port what is kept, where that is much, or was.
    func countInput() {
        let kept = isClosing ? 0 : keptInput
        let bytes = kept > Self.uncountedBytes ? kept : 0
        guard bytes != countedInput else { return }
        countedInput = bytes
        listener.keeps(bytes, for: id)
    }

    /// Bytes of requests that have not come whole or have to wait, of those behind `MULTI`, and of the command that runs: who
    /// waits for it to end has its request kept for as long.
    private var keptInput: Int {
        decoder.heldBytes + (session.queue?.heldBytes ?? 0) + (running?.heldBytes ?? 0)
    }

    /// Nothing more is run.
    func forgetInput() {
        decoder = RequestDecoder(limits: decoder.limits)
        session.queue = nil
        countInput()
    }

    /// Too much is kept of what clients sent, and this one has to go, unless nothing much of it is kept by now. It is told
    /// why, where no reply is owed: an error in the place of one would say of the command that it failed.
    func cutOffForInput() {
        guard countedInput > 0, !isClosing else { return }
        guard running == nil, !isProcessing else { return cutOff(.inputTotal) }
        rejected(.inputTotal)
        close(after: .error(.tooMuchInput))
    }
}
