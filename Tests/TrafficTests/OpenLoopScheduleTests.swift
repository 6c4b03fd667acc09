import Testing
import Traffic

@Suite("Open-loop schedule")
struct OpenLoopScheduleTests {
    @Test("items are due evenly, without drift", arguments: [1, 3, 2_000, 7_919])
    func due(_ rate: Int) {
        let schedule = OpenLoopSchedule(rate: rate)
        #expect(schedule.due(0) == .zero)
        #expect(schedule.due(rate * 3_600) == .seconds(3_600))
        for number in 1...5_000 {
            let due = schedule.due(number)
            #expect(due > schedule.due(number - 1))
            #expect(schedule.dueCount(after: due + .nanoseconds(1)) == number + 1)
        }
    }
}
