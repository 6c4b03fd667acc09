/// How far one journal may be trimmed: sampled (time, ID) pairs against the cursors of its readers (journal.md, rule 3).
///
/// IDs are no clocks, so age comes from noting where the journal ended at known times.
package struct Retention: Sendable {
    private struct Sample: Sendable {
        let time: Duration
        let last: EntryID
    }

    private let minimumAge: Duration
    /// Oldest first, at least `spacing` apart: those younger than `minimumAge`, about 32, and the youngest older one.
    private var samples: [Sample] = []

    /// The age of a trimmed entry overshoots `minimumAge` by about so much.
    private var spacing: Duration { minimumAge / 32 }

    /// Entries younger than `minimumAge` are kept even when every reader has them.
    package init(minimumAge: Duration) {
        self.minimumAge = minimumAge
    }

    /// How often to note and trim: a 32nd of the age, between a second and a minute.
    package var interval: Duration { min(max(spacing, .seconds(1)), .seconds(60)) }

    /// At `time`, by any clock that does not jump, the journal ended with `last`.
    package mutating func noted(last: EntryID, at time: Duration) {
        if let newest = samples.last, newest.last > last { samples.removeAll() }  // another history
        if let newest = samples.last, time - newest.time < spacing { return }
        samples.append(Sample(time: time, last: last))
        while samples.count > 1, samples[1].time <= time - minimumAge { samples.removeFirst() }
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
