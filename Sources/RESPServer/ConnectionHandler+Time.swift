internal import NIOCore

/// One timer a connection, which finds out for itself what is due.
extension ConnectionHandler {
    /// Sees to it that the timer fires at `time` or before.
    func schedule(for time: NIODeadline) {
        guard let context, time < wakeTime else { return }
        wake?.cancel()
        wakeTime = time
        wake = context.eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(deadline: time) { self.awake() }
    }

    private func awake() {
        wakeTime = .distantFuture
        guard context != nil, !isCutOff else { return }
        let now = NIODeadline.now()
        let (time, reason) = nextDeadline(at: now)
        if let reason, now >= time { return cutOff(reason) }
        schedule(for: time)
    }

    /// When the client has waited, or made wait, for too long, and with what; without a reason there is nothing to wait for
    /// but that something begins.
    private func nextDeadline(at now: NIODeadline) -> (NIODeadline, Rejection?) {
        let limits = listener.limits
        if let closingSince { return (closingSince + TimeAmount(limits.stallTime), .stalled) }
        var deadlines: [(NIODeadline, Rejection?)] = [(now + TimeAmount(limits.idleTime), nil)]
        if let unwritableSince { deadlines.append((unwritableSince + TimeAmount(limits.stallTime), .stalled)) }
        if running == nil {
            if let handshakeEnd { deadlines.append((handshakeEnd, .handshake)) }
            if watches == 0 { deadlines.append((lastReceived + TimeAmount(limits.idleTime), .idle)) }
        }
        return deadlines.min { $0.0 < $1.0 } ?? (now + TimeAmount(limits.idleTime), nil)
    }

    /// The client has to say who it is, if it must, and something at all.
    func handshakeBegan() {
        let end = NIODeadline.now() + TimeAmount(listener.limits.handshakeTime)
        handshakeEnd = end
        schedule(for: end)
    }

    func watchBegan() { watches += 1 }

    func watchEnded() {
        watches = max(watches - 1, 0)
        lastReceived = max(lastReceived, .now())
    }
}
