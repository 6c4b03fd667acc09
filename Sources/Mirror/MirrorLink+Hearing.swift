internal import Journal
internal import NIOCore
internal import Observability

// How a link lets its peer hear of it, and listens for the peer.
extension MirrorLink {
    /// Knocks and listens while the session lasts.
    func keepHearing() async {
        var turn = 0
        while let session, !Task.isCancelled {
            if turn.isMultiple(of: 2) { knock(in: session) }
            turn += 1
            await listen(through: session.source)
            try? await Task.sleep(for: LinkHearing.interval / 2)
        }
    }

    private func knock(in session: Session) {
        let knock = hearing.knock()
        session.target.leave(knock, from: settings.region).whenSuccess {
            self.assumeIsolated { $0.hearing.answered(knock) }
        }
    }

    /// Looks at what the peer has left in the region's own Redis.
    func listen(through source: any MirrorSource) async {
        guard let knock = try? await source.knock(of: settings.peer).get() else { return }
        hearing.looked(knock)
    }

    /// Says that the link is down, why, and as far as that can be told which way it is cut.
    func tellDown(_ loss: LinkLoss) {
        let cut = loss.isSilence ? hearing.cut : nil
        report.cut(cut)
        if let advice = loss.evictionAdvice {
            return report.set(ComponentState("refused-evicting", .stopped, reason: loss.words, advice: advice))
        }
        let reason = [loss.words, cut?.words(peer: settings.peer)].compactMap(\.self).joined(separator: "; ")
        report.set(ComponentState("connecting", .waiting, reason: reason))
    }
}

extension LinkLoss {
    fileprivate var words: String {
        switch refusal {
        case .unavailable(let reason): reason
        case .cursor, .fenced, .forked, .unexpected: "\(refusal)"
        }
    }
}

extension LinkHearing.Cut {
    /// What it means, for people.
    func words(peer: String) -> String {
        switch self {
        case .out: "\(peer) was heard here since: what is sent to it does not arrive"
        case .in: "what is sent to \(peer) arrives: its answers do not come back"
        case .unknown: "\(peer) was not heard here since"
        }
    }
}
