package import Journal
internal import Observability
internal import Synchronization

/// How far provisioning is projected into the local Redis, for those who wait for it.
package final class ProvisioningProgress: Sendable {
    private struct State {
        var completed: Position?
        var isConfirmed = false
        var observers: [@Sendable (Position) -> Void] = []
    }

    private let state = Mutex(State())
    private let elsewhere = Mutex(CaptureElsewhere())

    package init() {}

    /// Every transaction up to here is in all tenants' state; nil while that is not known.
    package var completed: Position? { state.withLock { $0.completed } }

    /// The same, as the server has it that is there now; nil while there is none, or it has not said so. One that comes
    /// back may have lost what came last.
    package var confirmed: Position? { state.withLock { $0.isConfirmed ? $0.completed : nil } }

    /// Calls `action` whenever `completed` has changed or is confirmed again, from anywhere; it must not wait. For as
    /// long as this lives. Of a history that ends the last transaction is told, also where the next one came with it.
    package func observe(_ action: @escaping @Sendable (Position) -> Void) {
        state.withLock { $0.observers.append(action) }
    }

    /// The server has confirmed everything up to `position`, which is lower than before where the server went back.
    func reached(_ position: Position) {
        let observers: [@Sendable (Position) -> Void] = state.withLock { state in
            guard state.completed != position || !state.isConfirmed else { return [] }
            state.completed = position
            state.isConfirmed = true
            return state.observers
        }
        for observer in observers { observer(position) }
    }

    /// The server is gone, or did not do what it was asked.
    func interrupted() { state.withLock { $0.isConfirmed = false } }
}

// MARK: - What other regions capture

extension ProvisioningProgress {
    /// A probe of another region came, and says of capture there what `CaptureWord` tells.
    func said(by region: String, captured: Position?, at moment: Moment = .now) {
        elsewhere.withLock { $0.said(by: region, captured: captured, at: moment) }
    }

    /// How far this region has what another one captures; nil while none is known to.
    package func captureElsewhere(at instant: ContinuousClock.Instant) -> CaptureElsewhere.Standing? {
        let completed = completed ?? .zero
        return elsewhere.withLock { $0.standing(completed: completed, at: instant) }
    }
}
