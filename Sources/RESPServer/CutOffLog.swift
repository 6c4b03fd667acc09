/// Which clients that had too much waiting operators are told of by name: one of each reason a second.
struct CutOffLog: Sendable {
    private static let reasons: Set<Rejection> = [.stalled, .output, .outputTotal, .inputTotal]
    private static let pause = Duration.seconds(1)

    private var told: [Rejection: (time: Duration, untold: Int)] = [:]

    /// A client was cut off.
    ///
    /// - Returns: How many were for that reason since one was told of, where this one is; nil where it is not.
    mutating func cutOff(_ reason: Rejection, at now: Duration) -> Int? {
        guard Self.reasons.contains(reason) else { return nil }
        if let last = told[reason], now - last.time < Self.pause {
            told[reason]?.untold += 1
            return nil
        }
        let count = (told[reason]?.untold ?? 0) + 1
        told[reason] = (now, 0)
        return count
    }
}
