/// How much of the region that is down the survivor may lack at most, as far as can be known without it.
///
/// What it lacked when it was heard last, and no other region has, is counted exactly. Since then its events came at a rate that is not known: the
/// highest one of the last minutes is taken.
package struct LossBound: Hashable, Sendable {
    /// Voice events.
    package let events: UInt64
    /// Of these, known to be missing.
    package let lacking: UInt64
    /// Voice events a second that were reckoned with.
    package let rate: Double
    /// Since the region was heard last.
    package let age: Duration

    /// Nil where the region was never heard, or not often enough to tell its rate (`ProbeRate`).
    package init?(_ holding: FoundHolding) {
        guard let heard = holding.heard, let rate = heard.rate, rate.isFinite else { return nil }
        let (held, isOver) = holding.voice.addingReportingOverflow(holding.elsewhere)
        lacking = !isOver && heard.voice > held ? heard.voice - held : 0
        age = max(.zero, heard.age)
        self.rate = max(0, rate)
        let seconds = Double(age.components.seconds) + Double(age.components.attoseconds) / 1e18
        let since = UInt64(min((self.rate * seconds).rounded(.up), 1e15))
        events = lacking.addingReportingOverflow(since).overflow ? .max : lacking + since
    }
}

/// How much may be lost.
package enum AcceptedLoss: Hashable, Sendable {
    /// The region file's budget, voice events.
    case budget(UInt64)
    /// What the operator accepted, voice events.
    case events(UInt64)
    /// Whatever it is, also when it is not known.
    case any
}
