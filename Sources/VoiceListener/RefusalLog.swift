internal import Logging
internal import Observability
internal import Projection
internal import Synchronization

/// Tells operators what clients are not told: the region's Redis in its own words. Seldom, since every write may fail.
final class RefusalLog: Sendable {
    private static let interval = Duration.seconds(10)

    private let logger: Logger
    /// When something was logged last.
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    init(_ logger: Logger) { self.logger = logger }

    /// A client's write failed.
    func note(_ failure: StoreFailure) {
        let now = ContinuousClock.now
        let isDue = last.withLock { last in
            if let last, now - last < Self.interval { return false }
            last = now
            return true
        }
        if isDue { logger.warning("Redis does not take what clients of the voice port write", [.reason: "\(failure)"]) }
    }
}
