package import Journal
package import Observability

/// What other regions' probes say of capture, and until when this region had all that the one that captures had. A value.
///
/// Once the projection has come to what a probe said was captured, this region had, when the probe came, all that the other
/// one had then. Of two regions that say that they capture the newer history counts.
package struct CaptureElsewhere: Sendable {
    /// What keeps this region from having it all now.
    package enum Trouble: Hashable, Sendable {
        /// Nothing was heard of the region lately.
        case silent
        /// The region is heard, and does not say that it captures.
        case idle
        /// What the region had captured does not come, or comes late.
        case behind
    }

    package struct Standing: Hashable, Sendable {
        /// The region that captures, or did when it was heard last.
        package let region: String
        /// When this region had all of it last; nil: never.
        package let completeAt: Moment?
        package let trouble: Trouble?

        package init(region: String, completeAt: Moment?, trouble: Trouble?) {
            self.region = region
            self.completeAt = completeAt
            self.trouble = trouble
        }
    }

    private struct Capturing: Sendable {
        var region: String
        var history: UInt64
        var lastWord: Moment
        var captures = true
        var positions = CapturedPositions()
    }

    /// A region whose last word is older is silent. It speaks once a second.
    package static let patience = Duration.seconds(5)

    private var capturing: Capturing?

    package init() {}

    /// A probe of `region` came at `moment`, with this position or without any.
    package mutating func said(by region: String, captured: Position?, at moment: Moment) {
        guard let position = captured else {
            guard capturing?.region == region else { return }
            capturing?.lastWord = moment
            capturing?.captures = false
            return
        }
        var known = capturing ?? Capturing(region: region, history: position.history, lastWord: moment)
        guard known.region == region || known.history <= position.history else { return }
        known.region = region
        known.history = position.history
        known.lastWord = moment
        known.captures = true
        known.positions.captured(position, at: moment)
        capturing = known
    }

    /// How it stands at `instant`, where everything up to `completed` is projected; nil while no region is known to capture
    /// of the history that is projected, or of a newer one.
    package mutating func standing(completed: Position, at instant: ContinuousClock.Instant) -> Standing? {
        guard var known = capturing else { return nil }
        known.positions.completed(completed)
        capturing = known
        guard known.history >= completed.history else { return nil }
        return Standing(
            region: known.region, completeAt: known.positions.reached?.moment,
            trouble: Self.trouble(of: known, at: instant))
    }

    private static func trouble(of known: Capturing, at instant: ContinuousClock.Instant) -> Trouble? {
        guard instant - known.lastWord.instant <= patience else { return .silent }
        guard known.captures else { return .idle }
        guard let reached = known.positions.reached, instant - reached.moment.instant <= patience else {
            return .behind
        }
        return nil
    }
}
