internal import Journal
internal import Observability

/// Up to where a region had captured at some moments, and the last of those as of which all of it is here. A value.
struct CapturedPositions: Sendable {
    struct Claim: Sendable {
        let position: Position
        let moment: Moment
    }

    private static let awaitedLimit = 128
    /// Of what is known closer together one is enough.
    private static let spacing = Duration.milliseconds(200)

    /// What the projection has not come to, in rising position.
    private var awaited: [Claim] = []
    /// The last one that it has come to.
    private(set) var reached: Claim?

    /// At `moment` the region had captured everything up to `position`.
    mutating func captured(_ position: Position, at moment: Moment) {
        // Where the region went back, what it had before may never come.
        awaited.removeAll { $0.position > position }
        if let last = awaited.last, moment.instant - last.moment.instant < Self.spacing { return }
        guard awaited.count < Self.awaitedLimit else { return }
        awaited.append(Claim(position: position, moment: moment))
    }

    /// Everything up to `completed` is projected.
    mutating func completed(_ completed: Position) {
        // The local server may have lost what was projected.
        if let reached, reached.position > completed { self.reached = nil }
        let passed = awaited.prefix { $0.position <= completed }
        if let last = passed.last { reached = last }
        awaited.removeFirst(passed.count)
    }
}
