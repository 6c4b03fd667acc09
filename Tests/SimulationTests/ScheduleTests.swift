import Foundation
import Simulation
import Testing

@Suite("Regions, their servers, workers and links by seed")
struct ScheduleTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// `REGIONSYNC_SEED` repeats one schedule and tells its story, `REGIONSYNC_SCHEDULES` runs so many.
    @Test("whatever happens, what is promised holds; once all is well, everything comes to rest in time")
    func schedules() async {
        let only = Self.number("REGIONSYNC_SEED")
        let seeds = only.map { $0..<$0 + 1 } ?? 0..<(Self.number("REGIONSYNC_SCHEDULES") ?? 80)
        let outcomes = await Schedule.run(seeds: seeds)
        #expect(outcomes.count == seeds.count)
        for outcome in outcomes where !outcome.offences.isEmpty { Issue.record("\(outcome.complaint)") }
        guard only == nil else { return print(outcomes.flatMap(\.story).joined(separator: "\n")) }
        let tally = outcomes.reduce(into: [String: Int]()) { $0.merge($1.tally, uniquingKeysWith: +) }
        for event in [
            "rsj3_append", "refused rsj3_append", "rsj3_adopt", "rsj3_heal", "rsj3_fork", "rsj3_note", "rsj3_position",
            "rsp2_provision", "rsp2_apply", "rsp2_advance",
        ] { #expect(tally[event, default: 0] > 0, "no \(event): the schedules meet too little") }
        let jumps = outcomes.flatMap(\.story).count { $0.contains(" the clock of ") }
        #expect(jumps > 0, "no clock jumps: the schedules meet too little")
    }

    @Test("a seed always tells the same story", arguments: [2, 3])
    func repeats(seed: UInt64) {
        var (one, other) = (World(Plan(seed: seed)), World(Plan(seed: seed)))
        one.run()
        other.run()
        #expect(one.trace == other.trace)
        #expect(one.story == other.story)
    }
}
