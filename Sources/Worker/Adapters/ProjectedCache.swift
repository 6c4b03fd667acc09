package import Capture
package import Journal
internal import Projection
package import Reconciliation

/// The region's own cache as capture asks for it.
package struct ProjectedCache: CaptureCache {
    private let objects: CachedObjects

    package init(_ objects: CachedObjects) { self.objects = objects }

    package func projected() async throws(CaptureFailure) -> Position {
        do throws(StoreFailure) {
            return try await objects.projected()
        } catch {
            throw .unavailable("\(error)")
        }
    }
}
