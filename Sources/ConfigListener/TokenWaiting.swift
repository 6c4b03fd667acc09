/// Waits until this region's state has what a token stands for.
package protocol TokenWaiting: Sendable {
    func wait(for token: WriteToken, within patience: Duration) async -> TokenVerdict
}

/// What came of waiting for a token.
package enum TokenVerdict: Hashable, Sendable {
    /// Reads see the write from now on.
    case visible
    /// Not within the time.
    case timedOut
    /// It cannot be found out whether they do: the journal that would say so is trimmed or has a gap, a snapshot may have
    /// brought the write without its transaction, or another history began and what it began with is not here yet.
    case unknown
    /// The region's Redis does not answer.
    case unavailable
}
