/// How far one journal may be trimmed: sampled (time, ID) pairs against the cursors of its readers (journal.md, rule 3).
///
/// IDs are no clocks, so age comes from noting where the journal ended at known times.
package struct Retention: Sendable {
    private struct Sample: Sendable {
        let time: Duration
        let last: EntryID
    }

    private let minimumAge: Duration
    private var samples: [Sample] = []

    /// Samples kept at most; the age of a trimmed entry overshoots `minimumAge` by about a 32nd.
    private static let sampleLimit = 33

    /// Entries younger than `minimumAge` are kept even when every reader has them.
    package init(minimumAge: Duration) {
        self.minimumAge = minimumAge
    }

    /// How often to sample and trim: a 32nd of the age, between a second and a minute.
    package var interval: Duration { min(max(minimumAge / 32, .seconds(1)), .seconds(60)) }

    /// At `time`, by any clock that does not jump, the journal ended with `last`.
    package mutating func noted(last: EntryID, at time: Duration) {
        if let newest = samples.last, newest.last > last { samples.removeAll() }  // another history
        samples.append(Sample(time: time, last: last))
        while samples.count > 2, samples[1].time <= time - minimumAge { samples.removeFirst() }
        if samples.count > Self.sampleLimit { samples.remove(at: 1) }
    }

    /// The lowest ID to keep at `time`; nil: do not trim. A reader whose cursor is unknown (nil) keeps everything.
    package func lowestToKeep(at time: Duration, readers: [EntryID?]) -> EntryID? {
        guard let aged = samples.last(where: { $0.time <= time - minimumAge })?.last else { return nil }
        var lowest = aged
        for cursor in readers {
            guard let cursor else { return nil }
            lowest = min(lowest, cursor)
        }
        return lowest == .zero ? nil : lowest
    }
}
