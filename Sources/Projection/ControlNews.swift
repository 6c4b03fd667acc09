package import Journal
internal import NIOCore

/// What a batch of another region's control journal says: the last probe for this region, the last word on each
/// region, and what this one is asked to restate.
package struct ControlNews: Sendable {
    /// What a survivor says of a region.
    package enum Word: Hashable, Sendable {
        /// It is down. `isAnew`: the batch said before that it had rejoined.
        case down(RegionDown, isAnew: Bool)
        case rejoined
    }

    package let heard: (entry: EntryID, heartbeat: Heartbeat)?
    /// What the last probe says of capture; nil where there is none for this region.
    package let capture: (entry: EntryID, captured: Position?)?
    package let words: [String: Word]
    /// The last request to this region.
    package let request: RestateRequest?

    /// Reads a batch for `region`. Throws `EntryBatch.Malformed`.
    package init(_ batch: EntryBatch, for region: String) throws {
        var heard: (entry: EntryID, heartbeat: Heartbeat)?
        var capture: (entry: EntryID, captured: Position?)?
        var words: [String: Word] = [:]
        var rejoined: Set<String> = []
        var request: RestateRequest?
        try batch.forEachEntry { entry in
            if let word = CaptureWord(entry), word.peer == region { capture = (entry.id, word.captured) }
            if let heartbeat = Heartbeat(entry) {
                if heartbeat.peer == region { heard = (entry.id, heartbeat) }
            } else if let down = RegionDown(entry) {
                words[down.region] = .down(down, isAnew: rejoined.contains(down.region))
            } else if let region = entry.rejoinedRegion {
                words[region] = .rejoined
                rejoined.insert(region)
            } else if let asked = RestateRequest(entry), asked.owner == region {
                request = asked
            }
        }
        self.heard = heard
        self.capture = capture
        self.words = words
        self.request = request
    }
}

extension JournalEntry {
    /// The region that it says has rejoined; nil for any other entry.
    fileprivate var rejoinedRegion: String? {
        guard let event = value(of: "event"), event.elementsEqual(RegionDown.rejoinedEvent.utf8),
            let key = value(of: "key")
        else { return nil }
        return String(decoding: key, as: UTF8.self)
    }
}
