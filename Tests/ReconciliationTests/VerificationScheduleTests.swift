import Reconciliation
import Testing

@Suite("Verification schedule")
struct VerificationScheduleTests {
    @Test("first pass behind the delay and without pauses, then table by table over the interval")
    func passes() {
        var schedule = VerificationSchedule(tables: 3, interval: .seconds(30), delay: .seconds(5), now: .zero)
        #expect(schedule.table(now: .seconds(4)) == nil)
        #expect(schedule.table(now: .seconds(5)) == 0)
        #expect(schedule.verified(isEqual: true, now: .seconds(6)) == nil)
        #expect(schedule.table(now: .seconds(6)) == 1)
        #expect(schedule.verified(isEqual: true, now: .seconds(6)) == nil)
        #expect(schedule.verified(isEqual: true, now: .seconds(7)) == true)
        #expect(schedule.table(now: .seconds(16)) == nil)
        #expect(schedule.table(now: .seconds(17)) == 0)
        #expect(schedule.verified(isEqual: true, now: .seconds(18)) == nil)
        #expect(schedule.table(now: .seconds(27)) == nil)
        #expect(schedule.table(now: .seconds(28)) == 1)
    }

    @Test("a pass is equal only if every table was, and the next one begins afresh")
    func equal() {
        var schedule = VerificationSchedule(tables: 2, interval: .seconds(2), delay: .zero, now: .zero)
        _ = schedule.verified(isEqual: false, now: .zero)
        #expect(schedule.verified(isEqual: true, now: .zero) == false)
        _ = schedule.verified(isEqual: true, now: .zero)
        #expect(schedule.verified(isEqual: true, now: .zero) == true)
    }

    @Test("a pass that is asked for begins with the first table, at once and without pauses")
    func requested() {
        var schedule = VerificationSchedule(tables: 2, interval: .seconds(3600), delay: .zero, now: .zero)
        _ = schedule.verified(isEqual: true, now: .zero)
        _ = schedule.verified(isEqual: true, now: .zero)
        _ = schedule.verified(isEqual: false, now: .seconds(1800))
        schedule.requested(at: .seconds(1900))
        #expect(schedule.table(now: .seconds(1900)) == 0)
        #expect(schedule.verified(isEqual: true, now: .seconds(1901)) == nil)
        #expect(schedule.table(now: .seconds(1901)) == 1)
        #expect(schedule.verified(isEqual: true, now: .seconds(1902)) == true)
        #expect(schedule.table(now: .seconds(1902)) == nil)
    }

    @Test("a table that could not be verified is tried again")
    func failed() {
        var schedule = VerificationSchedule(tables: 2, interval: .seconds(3600), delay: .zero, now: .zero)
        schedule.failed(pause: .seconds(4), now: .seconds(1))
        #expect(schedule.table(now: .seconds(4)) == nil)
        #expect(schedule.table(now: .seconds(5)) == 0)
    }
}
