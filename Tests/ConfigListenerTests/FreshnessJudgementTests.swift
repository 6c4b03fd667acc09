import Observability
import Projection
import Testing

@testable import ConfigListener

/// Facts and moments in seconds.
private struct Story {
    private var judgement = FreshnessJudgement()
    private let start = ContinuousClock.now
    var facts = FreshnessJudgement.Facts(
        cache: ComponentState("tracking", .working), projection: ComponentState("projecting", .working),
        capture: ComponentState("other-region", .working))

    mutating func captures(_ name: String) { facts.capture = ComponentState(name, .waiting) }

    /// This region captures, and had all of it at `second`.
    mutating func streams(completeAt second: Int64?) {
        captures("streaming")
        facts.completeHere = second.map { moment($0) }
    }

    /// Another region captures, and this one had all of it at `second`.
    mutating func elsewhere(_ trouble: CaptureElsewhere.Trouble? = nil, completeAt second: Int64?) {
        facts.elsewhere = CaptureElsewhere.Standing(
            region: "us-east", completeAt: second.map { moment($0) }, trouble: trouble)
    }

    /// `<what is amiss>, <when reads were fresh last>`.
    mutating func judged(at second: Int64) -> String {
        let state = judgement.judge(facts, at: moment(second))?.state ?? "fresh"
        let last = judgement.lastFresh.map { "\($0.time.nanoseconds / 1_000_000_000)" } ?? "never"
        return "\(state), \(last)"
    }

    private func moment(_ second: Int64) -> Moment {
        Moment(instant: start + .seconds(second), time: Timestamp(nanoseconds: second * 1_000_000_000))
    }
}

@Suite("Whether reads are fresh")
struct FreshnessJudgementTests {
    @Test("where this region captures: by its own stream, whatever others say")
    func own() {
        var story = Story()
        story.streams(completeAt: 1)
        #expect(story.judged(at: 1) == "fresh, 1")
        story.streams(completeAt: 2)
        story.elsewhere(.silent, completeAt: nil)
        #expect(story.judged(at: 2) == "fresh, 2")
        story.captures("blocked")
        #expect(story.judged(at: 3) == "blocked, 2")
        story.captures("catching-up")
        #expect(story.judged(at: 3) == "catching-up, 2")
        story.captures("resnapshot")
        story.elsewhere(completeAt: 4)
        #expect(story.judged(at: 4) == "resnapshot, 2")
    }

    @Test("where this region captures: not while the projection does not come after")
    func captureIsAhead() {
        var story = Story()
        story.streams(completeAt: nil)
        #expect(story.judged(at: 1) == "behind, never")
        story.streams(completeAt: 1)
        #expect(story.judged(at: 6) == "fresh, 1")
        #expect(story.judged(at: 7) == "behind, 1")
        story.streams(completeAt: 7)
        #expect(story.judged(at: 8) == "fresh, 7")
    }

    @Test("where another one does: as of when this one had all of it", arguments: ["other-region", "standby"])
    func elsewhere(capture: String) {
        var story = Story()
        story.captures(capture)
        #expect(story.judged(at: 1) == "unheard, never")
        story.elsewhere(.behind, completeAt: nil)
        #expect(story.judged(at: 2) == "behind, never")
        story.elsewhere(completeAt: 2)
        #expect(story.judged(at: 3) == "fresh, 2")
        story.elsewhere(.silent, completeAt: 2)
        #expect(story.judged(at: 60) == "silent, 2")
        story.elsewhere(.idle, completeAt: 2)
        #expect(story.judged(at: 61) == "idle, 2")
        // It catches up, and is late all the while.
        story.elsewhere(.behind, completeAt: 50)
        #expect(story.judged(at: 62) == "behind, 50")
    }

    @Test("where PostgreSQL is not captured from here: that is named, unless another region is heard to capture")
    func notReached() {
        for capture in ["looking", "waiting", "in-recovery", "awaiting-peer"] {
            var story = Story()
            story.captures(capture)
            #expect(story.judged(at: 1) == "\(capture), never")
            story.elsewhere(completeAt: 1)
            #expect(story.judged(at: 2) == "fresh, 1")
            story.elsewhere(.silent, completeAt: 1)
            #expect(story.judged(at: 9) == "\(capture), 1")
        }
        var story = Story()
        story.captures("stopped")
        story.elsewhere(completeAt: 1)
        #expect(story.judged(at: 2) == "stopped, never")
    }

    @Test("not while what is captured does not get into the cache, or nothing can be read there")
    func local() {
        var story = Story()
        story.elsewhere(completeAt: 1)
        #expect(story.judged(at: 2) == "fresh, 1")
        story.facts.projection = ComponentState("stale", .degraded)
        story.elsewhere(completeAt: 5)
        #expect(story.judged(at: 6) == "stale, 1")
        story.facts.cache = ComponentState("away", .waiting)
        #expect(story.judged(at: 7) == "away, 1")
        story.facts.cache = nil
        #expect(story.judged(at: 8) == "unknown, 1")
    }

    @Test("never goes back: this region captured until a moment ago")
    func handedOver() {
        var story = Story()
        story.streams(completeAt: 10)
        #expect(story.judged(at: 10) == "fresh, 10")
        story.captures("other-region")
        story.elsewhere(completeAt: 8)
        #expect(story.judged(at: 11) == "fresh, 10")
    }
}
