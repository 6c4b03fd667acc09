package import NIOCore
package import Projection

/// Opens sessions with the local Redis in which it says what has changed of what was read.
package protocol CacheTracking: Sendable {
    /// Opens a session. Waits for a while first where the attempt before failed, longer each time up to a second.
    /// `onInvalidation` is called with what has changed, in order, from anywhere; it must not wait.
    func open(
        onInvalidation: @escaping @Sendable (CacheInvalidation) -> Void
    ) async throws(StoreFailure) -> any CacheSession
}

/// A session with the local Redis. Keys that are read behind `CLIENT CACHING YES`, in the next command or transaction, are
/// named when they change, once for each time they were read.
package protocol CacheSession: ProjectionStore {
    /// What the server was given when it started, another one each time: cursors of scans are good for one run.
    var serverRun: String { get }

    /// Returns when all that the server said of changes before the call has been handed on.
    func heard() async throws(StoreFailure)

    /// Returns when the session has ended, and why. Ends it when the task is cancelled.
    func ended() async -> StoreFailure
}

/// Which keys may hold something else now.
package enum CacheInvalidation: Hashable, Sendable {
    case keys([ByteBuffer])
    case all
}
