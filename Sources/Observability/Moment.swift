/// One moment by two clocks: one that does not jump, to decide by, and the host's, to tell people.
package struct Moment: Hashable, Sendable {
    package let instant: ContinuousClock.Instant
    package let time: Timestamp

    package init(instant: ContinuousClock.Instant, time: Timestamp) {
        self.instant = instant
        self.time = time
    }

    package static var now: Moment { Moment(instant: .now, time: .now) }
}
