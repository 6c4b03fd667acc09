/// The highest rate of voice entries that a region's probes show, taken from the newest to the oldest.
///
/// A count may be followed by a much higher one where a region began to count anew, or was not heard for a while: a
/// probe behind such a place is where counting begins, and its own rise is no rate. The oldest probe counts as one.
package struct ProbeRate: Sendable {
    /// Probes further apart do not follow each other, milliseconds. A link that works sends one a second.
    private static let longestStep: UInt64 = 5000

    private var later: (time: UInt64, voice: UInt64)?
    /// From `later` to the probe behind it, if `later` proves to follow one itself.
    private var unproven: Double?
    /// Entries a second; nil before three probes in a row.
    package private(set) var highest: Double?

    package init() {}

    /// Takes the next older probe: its time, milliseconds by the region's clock, and the voice entries that it tells of.
    package mutating func take(time: UInt64, voice: UInt64) {
        defer { later = (time, voice) }
        guard let later else { return }
        guard later.time > time, later.time - time <= Self.longestStep, later.voice >= voice else {
            return unproven = nil
        }
        if let unproven { highest = max(highest ?? 0, unproven) }
        unproven = Double(later.voice - voice) * 1000 / Double(later.time - time)
    }
}
