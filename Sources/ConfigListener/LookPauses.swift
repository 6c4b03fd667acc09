/// How long to wait from a look for a token's commit that found nothing to the next one; a value without a clock.
///
/// A commit stands close behind its token's position, and is found by one of the first looks, between which there is no pause.
/// Of a token that somebody made up there is none: the journals are not searched for it at every step of the projection.
struct LookPauses {
    /// Looks between which there is no pause.
    static let freeLooks = 8
    static let first = Duration.milliseconds(5)
    static let longest = Duration.milliseconds(100)

    private var looks = 0
    private var last = Duration.zero

    /// A look found nothing.
    ///
    /// - Returns: The least time until the next one.
    mutating func lookedInVain() -> Duration {
        looks += 1
        guard looks >= Self.freeLooks else { return .zero }
        last = last == .zero ? Self.first : min(last * 2, Self.longest)
        return last
    }
}
