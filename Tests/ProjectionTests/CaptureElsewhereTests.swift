import Journal
import Observability
import Projection
import Testing

/// Positions of history 1, and moments in seconds.
private struct Story {
    private var elsewhere = CaptureElsewhere()
    private let start = ContinuousClock.now

    mutating func said(_ region: String, _ position: UInt64?, history: UInt64 = 1, at second: Int64) {
        let captured = position.map { Position(number: history << 52 | $0) }
        elsewhere.said(by: region, captured: captured, at: moment(second))
    }

    /// `<region>, <what is amiss>, all of <second>`.
    mutating func standing(_ completed: UInt64, history: UInt64 = 1, at second: Int64) -> String {
        let completed = Position(number: history << 52 | completed)
        guard let standing = elsewhere.standing(completed: completed, at: moment(second).instant) else {
            return "nobody"
        }
        let amiss = standing.trouble.map { "\($0)" } ?? "well"
        let time = standing.completeAt.map { "all of \($0.time.nanoseconds / 1_000_000_000)" } ?? "never all"
        return "\(standing.region), \(amiss), \(time)"
    }

    private func moment(_ second: Int64) -> Moment {
        Moment(instant: start + .seconds(second), time: Timestamp(nanoseconds: second * 1_000_000_000))
    }
}

@Suite("What other regions say of capture")
struct CaptureElsewhereTests {
    @Test("is all here once the projection has come to what was said, as of when that was said")
    func complete() {
        var story = Story()
        #expect(story.standing(0, at: 0) == "nobody")
        story.said("us-east", nil, at: 0)
        #expect(story.standing(0, at: 0) == "nobody")
        story.said("us-east", 100, at: 1)
        #expect(story.standing(99, at: 1) == "us-east, behind, never all")
        #expect(story.standing(100, at: 2) == "us-east, well, all of 1")
        story.said("us-east", 100, at: 3)
        #expect(story.standing(100, at: 3) == "us-east, well, all of 3")
    }

    @Test("is that it is silent, when nothing is heard for longer than five seconds")
    func silent() {
        var story = Story()
        story.said("us-east", 100, at: 1)
        #expect(story.standing(100, at: 6) == "us-east, well, all of 1")
        #expect(story.standing(100, at: 7) == "us-east, silent, all of 1")
        // Others are heard.
        story.said("ap-south", nil, at: 7)
        #expect(story.standing(100, at: 7) == "us-east, silent, all of 1")
        story.said("us-east", 100, at: 60)
        #expect(story.standing(100, at: 60) == "us-east, well, all of 60")
    }

    @Test("is that it does not capture, at once, and that it does again")
    func idle() {
        var story = Story()
        story.said("us-east", 100, at: 1)
        story.said("us-east", nil, at: 2)
        #expect(story.standing(100, at: 2) == "us-east, idle, all of 1")
        story.said("us-east", nil, at: 3)
        story.said("us-east", 100, at: 4)
        #expect(story.standing(100, at: 4) == "us-east, well, all of 4")
    }

    @Test(
        "is that it comes late, where the projection is always so many seconds behind", arguments: [2, 10] as [Int64])
    func behind(lag: Int64) {
        var story = Story()
        for second: Int64 in 0...40 {
            story.said("us-east", UInt64(100 + second), at: second)
            let standing = story.standing(UInt64(max(0, 100 + second - lag)), at: second)
            guard second >= lag else {
                #expect(standing == "us-east, behind, never all")
                continue
            }
            #expect(standing == "us-east, \(lag > 5 ? "behind" : "well"), all of \(second - lag)")
        }
    }

    @Test("counts where its history is the newest, and no older than what is projected")
    func histories() {
        var story = Story()
        story.said("us-east", 100, at: 0)
        #expect(story.standing(100, at: 0) == "us-east, well, all of 0")
        story.said("ap-south", 10, history: 2, at: 1)
        story.said("us-east", 120, at: 2)
        story.said("us-east", nil, at: 2)
        #expect(story.standing(100, at: 6) == "ap-south, behind, all of 0")
        #expect(story.standing(10, history: 2, at: 6) == "ap-south, well, all of 1")
        #expect(story.standing(1, history: 3, at: 6) == "nobody")
    }

    @Test("is not here any more where the local server lost what was projected")
    func lostHere() {
        var story = Story()
        story.said("us-east", 100, at: 0)
        #expect(story.standing(100, at: 0) == "us-east, well, all of 0")
        #expect(story.standing(90, at: 1) == "us-east, behind, never all")
        #expect(story.standing(100, at: 1) == "us-east, behind, never all")
        story.said("us-east", 100, at: 2)
        #expect(story.standing(100, at: 2) == "us-east, well, all of 2")
    }

    @Test("is what was said last where the other region went back")
    func lostThere() {
        var story = Story()
        story.said("us-east", 200, at: 0)
        story.said("us-east", 100, at: 1)
        #expect(story.standing(150, at: 1) == "us-east, well, all of 1")
    }

    @Test("is kept within bounds, whatever it is")
    func bounded() {
        var story = Story()
        for second: Int64 in 0..<10_000 { story.said("us-east", UInt64(second), at: second) }
        #expect(story.standing(20_000, at: 10_000) == "us-east, behind, all of 127")
        story.said("us-east", UInt64.max >> 12, history: 4095, at: 10_001)
        #expect(story.standing(20_000, at: 10_001) == "us-east, behind, all of 127")
    }
}
