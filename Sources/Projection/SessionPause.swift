internal import Journal
internal import Logging
internal import Observability
internal import RESP

/// What happens between a session that failed and the next.
struct SessionPause {
    private static let first = Duration.milliseconds(20)
    private static let longest = Duration.seconds(1)
    /// For sessions that begin well and fail alike again and again: each says twice how it is.
    private static let longestAlike = Duration.seconds(2)

    private var step = Self.first
    private var alignedAt: ContinuousClock.Instant?
    /// Why the session before failed.
    private var failure: StoreFailure?

    /// A session got as far as to read.
    mutating func aligned() { alignedAt = alignedAt ?? .now }

    /// Loads the functions where they are missing, else waits a little longer each time, up to a second. What comes back as
    /// soon as a session has begun is waited for as if none had.
    mutating func wait(
        after failure: StoreFailure, _ store: any ProjectionStore, _ report: ProjectionReport, _ component: String
    ) async {
        if failure.isFunctionMissing {
            report.logger.info("Functions were missing and are loaded", [.component: "\(component)"])
            let loads = await store.run(ProjectionFunctions.libraries.map(\.loadCommand))
            if loads.allSatisfy({ if case .success = $0 { true } else { false } }) { return }
        }
        guard !failure.isCut else { return }
        report.failed(component, failure)
        try? await Task.sleep(for: next(after: failure, at: .now) * Double.random(in: 0.5...1))
    }

    /// How long to wait at most.
    mutating func next(after failure: StoreFailure, at now: ContinuousClock.Instant) -> Duration {
        let isAligned = alignedAt != nil
        let hasLasted = alignedAt.map { now - $0 > Self.longest } ?? false
        if isAligned, hasLasted || self.failure?.isLike(failure) != true { step = Self.first }
        alignedAt = nil
        self.failure = failure
        defer { step = min(step * 2, isAligned ? Self.longestAlike : Self.longest) }
        return step
    }
}

extension StoreFailure {
    /// Whether both are the same word of the server, or both that it is not to be reached.
    fileprivate func isLike(_ other: StoreFailure) -> Bool {
        switch (self, other) {
        case (.server(let code, _), .server(let otherCode, _)): code == otherCode
        case (.server, _), (_, .server): false
        default: true
        }
    }
}
