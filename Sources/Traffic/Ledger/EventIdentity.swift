package import VoiceEvents

/// What names an event for ever: when its server started, and its number since (domain.md, "Call events").
package struct EventIdentity: Hashable, Comparable, Sendable {
    /// µs since 1970.
    package let startTime: Int64
    package let sequence: Int64

    package init(startTime: Int64, sequence: Int64) {
        self.startTime = startTime
        self.sequence = sequence
    }

    /// Nil for an event that does not carry both halves: somebody else's.
    package init?(_ event: VoiceEvent) {
        guard let startTime = event.serverStartTime, let sequence = event.eventSequenceNumber else { return nil }
        self.init(startTime: startTime, sequence: sequence)
    }

    package static func < (left: EventIdentity, right: EventIdentity) -> Bool {
        (left.startTime, left.sequence) < (right.startTime, right.sequence)
    }
}
