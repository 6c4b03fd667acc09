internal import NIOCore

/// What a region's probe in its control journal says of capture there.
///
/// Field `captured` on the wire: a position. Up to there the region has projected what it captured, and what PostgreSQL
/// commits goes on to come. A region that does not capture, or cannot at the moment, leaves it out, and so does one whose
/// probes come late.
package struct CaptureWord: Hashable, Sendable {
    /// The region to which the probe is addressed.
    package let peer: String
    /// Nil where the region does not say that it captures.
    package let captured: Position?

    package init(peer: String, captured: Position?) {
        self.peer = peer
        self.captured = captured
    }

    /// Nil for an entry that is no probe.
    package init?(_ entry: JournalEntry) {
        func text(_ field: StaticString) -> String? {
            entry.value(of: field).map { String(decoding: $0, as: UTF8.self) }
        }
        guard text("event") == "probe", let peer = text("key") else { return nil }
        self.init(peer: peer, captured: text("captured").flatMap { Position($0) })
    }
}
