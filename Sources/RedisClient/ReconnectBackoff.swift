/// How long to wait between attempts to connect: doubling from `first` to `cap`, each time a random part of it, so that
/// clients of a server that comes back do not arrive together.
package struct ReconnectBackoff: Hashable, Sendable {
    package let first: Duration
    /// No wait is longer; the design wants a healed link in use within 2 s.
    package let cap: Duration
    private var step: Duration

    package init(first: Duration = .milliseconds(50), cap: Duration = .seconds(1)) {
        self.first = min(first, cap)
        self.cap = cap
        step = self.first
    }

    /// The time until the next attempt: between half the present step and the whole of it.
    package mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        let wait = step * Double.random(in: 0.5...1, using: &random)
        step = min(step * 2, cap)
        return wait
    }

    /// The time until the next attempt: between half the present step and the whole of it.
    package mutating func next() -> Duration {
        var random = SystemRandomNumberGenerator()
        return next(using: &random)
    }

    /// A connection held: begin again with `first`.
    package mutating func reset() { step = first }
}
