package import Journal
package import Observability
internal import Synchronization

/// How far provisioning is projected into the local Redis, for those who wait for it.
package final class ProvisioningProgress: Sendable {
    /// What the server that is there now has said of itself.
    package struct Standing: Hashable, Sendable {
        package let position: Position
        /// Nothing is known that lets its state differ from what PostgreSQL committed up to `position`.
        package let isWhole: Bool
    }

    private struct State {
        var completed: Position?
        var isWhole = false
        var isConfirmed = false
        var observers: [@Sendable (Position) -> Void] = []
    }

    /// What this region captures itself.
    private struct CaptureHere {
        /// The last position that is captured, or begun to be; nil before anything was said of it.
        var last: Position?
        var positions = CapturedPositions()
    }

    private let state = Mutex(State())
    private let elsewhere = Mutex(CaptureElsewhere())
    private let here = Mutex(CaptureHere())

    package init() {}

    /// Every transaction up to here is in all tenants' state; nil while that is not known.
    package var completed: Position? { state.withLock { $0.completed } }

    /// The same, as the server has it that is there now; nil while there is none, or it has not said so. One that comes
    /// back may have lost what came last.
    package var confirmed: Position? { standing?.position }

    /// The same, and whether it is all.
    package var standing: Standing? {
        state.withLock { state in
            guard state.isConfirmed, let position = state.completed else { return nil }
            return Standing(position: position, isWhole: state.isWhole)
        }
    }

    /// Calls `action` whenever `completed` has changed, has become whole or is no longer, or is confirmed again, from
    /// anywhere; it must not wait. For as long as this lives. Of a history that ends the last transaction is told, also
    /// where the next one came with it.
    package func observe(_ action: @escaping @Sendable (Position) -> Void) {
        state.withLock { $0.observers.append(action) }
    }

    /// The server has confirmed everything up to `position`, which is lower than before where the server went back.
    /// `isWhole`: its state is not marked as stale.
    func reached(_ position: Position, isWhole: Bool = true) {
        let observers: [@Sendable (Position) -> Void] = state.withLock { state in
            guard state.completed != position || state.isWhole != isWhole || !state.isConfirmed else { return [] }
            state.completed = position
            state.isWhole = isWhole
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
        // Behind the lock: an older position than another one asked with would look as if the server had gone back.
        elsewhere.withLock { $0.standing(completed: completed ?? .zero, at: instant) }
    }
}

// MARK: - What this region captures

extension ProvisioningProgress {
    /// This region's own journal ends with an entry of the transaction at `position`: lower than before where it went back.
    package func captured(upTo position: Position) { here.withLock { $0.last = position } }

    /// When this region had all last that it had captured itself until then; nil: never. To be asked while what PostgreSQL
    /// commits is captured as it is committed: what is captured by now counts as all that there is at `moment`.
    package func allCapturedHere(at moment: Moment) -> Moment? {
        here.withLock { here in
            // Behind the lock, as for what others capture.
            let completed = completed ?? .zero
            // What others captured since may lie behind that.
            if let last = here.last { here.positions.captured(max(last, completed), at: moment) }
            here.positions.completed(completed)
            return here.positions.reached?.moment
        }
    }
}
