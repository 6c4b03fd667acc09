/// How many connections there are, in all and from each source, and whether one more is let in.
struct ConnectionCounts: Sendable {
    private let limit: Int
    private let limitPerSource: Int
    private(set) var total = 0
    /// Has no source without connections, so no more entries than there are connections.
    private var bySource: [ClientSource: Int] = [:]

    init(limit: Int, limitPerSource: Int) {
        self.limit = limit
        self.limitPerSource = limitPerSource
    }

    /// A connection was accepted.
    ///
    /// - Returns: Nil if it may stay, and counts; else why not.
    mutating func accepted(from source: ClientSource) -> Rejection? {
        guard total < limit else { return .clients }
        guard bySource[source, default: 0] < limitPerSource else { return .clientsPerSource }
        total += 1
        bySource[source, default: 0] += 1
        return nil
    }

    /// A connection that was let in has ended.
    mutating func ended(from source: ClientSource) {
        guard let count = bySource[source] else { return }
        total -= 1
        bySource[source] = count > 1 ? count - 1 : nil
    }
}
