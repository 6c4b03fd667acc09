internal import NIOCore

/// One timer a connection, which finds out for itself what is due.
extension ConnectionHandler {
    /// The longest that a timer is set for: none is cancelled, since NIO finds one by searching all of its event loop's,
    /// and those of a thousand connections that end at once would keep everybody waiting.
    private static let longestWake = TimeAmount.seconds(30)

    /// Sees to it that a timer fires at `time` or before.
    func schedule(for time: NIODeadline) {
        let time = min(time, .now() + Self.longestWake)
        guard let context, time < wakeTime else { return }
        wakeTime = time
        context.eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(deadline: time) { [weak self] in
            self?.awake(at: time)
        }
    }

    /// The timer that was set for `time` fired; one that an earlier one overtook has nothing to do.
    private func awake(at time: NIODeadline) {
        guard time == wakeTime else { return }
        wakeTime = .distantFuture
        guard let context, !isCutOff else { return }
        let now = NIODeadline.now()
        lookAtOutput(context, at: now)
        guard !isCutOff else { return }
        let (end, reason) = nextDeadline(at: now)
        if let reason, now >= end { return cutOff(reason) }
        schedule(for: end)
    }

    /// When the client has waited, or made wait, for too long, and with what; without a reason there is nothing to wait for
    /// but that something begins.
    private func nextDeadline(at now: NIODeadline) -> (NIODeadline, Rejection?) {
        let limits = listener.limits
        let stallTime = TimeAmount(limits.stallTime)
        var deadlines: [(NIODeadline, Rejection?)] = [(now + TimeAmount(limits.idleTime), nil)]
        if let untaken { deadlines.append((untaken.nextLook, nil)) }
        let stalled = untaken?.end(of: stallTime)
        if let closingSince {
            deadlines.append((max(closingSince + stallTime, stalled ?? closingSince), .stalled))
        } else if let stalled {
            deadlines.append((stalled, .stalled))
        }
        if closingSince == nil, running == nil {
            if let handshakeEnd { deadlines.append((handshakeEnd, .handshake)) }
            // Who has not taken all that it asked for waits for the rest.
            if watches == 0, untaken == nil { deadlines.append((lastReceived + TimeAmount(limits.idleTime), .idle)) }
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
