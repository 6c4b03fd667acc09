import Foundation
import Simulation
import Testing

/// Schedules by number: each is a seed, and follows from it alone.
struct Schedules {
    /// `REGIONSYNC_SEED`: only this one, with its story.
    static var only: UInt64? { ProcessInfo.processInfo.environment["REGIONSYNC_SEED"].flatMap { UInt64($0) } }

    /// `REGIONSYNC_SCHEDULES`: so many.
    static var count: Int {
        ProcessInfo.processInfo.environment["REGIONSYNC_SCHEDULES"].flatMap { Int($0) } ?? 1_000
    }

    struct Outcome: Sendable {
        let seed: UInt64
        let offences: [String]
        let story: [String]
        let settledAfter: Int?
    }

    /// Runs all that are asked for, one a core at a time; answers in order.
    static func run() async -> [Outcome] {
        let seeds = only.map { [$0] } ?? (0..<UInt64(count)).map { $0 }
        let cores = ProcessInfo.processInfo.activeProcessorCount
        return await withTaskGroup(of: [Outcome].self) { group in
            for core in 0..<cores {
                group.addTask {
                    seeds.filter { Int($0) % cores == core || seeds.count == 1 && core == 0 }.map(Self.run)
                }
            }
            return await group.reduce(into: []) { $0 += $1 }.sorted { $0.seed < $1.seed }
        }
    }

    private static func run(_ seed: UInt64) -> Outcome {
        var world = World(Plan(seed: seed))
        world.run()
        return Outcome(
            seed: seed, offences: world.offences, story: world.story,
            settledAfter: world.settledAt.map { $0 - world.plan.calmAt })
    }
}

@Suite("Regions, their servers, workers and links by seed")
struct ScheduleTests {
    @Test("whatever happens, what is promised holds; once all is well, everything comes to rest in time")
    func schedules() async {
        let outcomes = await Schedules.run()
        #expect(!outcomes.isEmpty)
        for outcome in outcomes where !outcome.offences.isEmpty {
            Issue.record(
                """
                seed \(outcome.seed): \(outcome.offences.joined(separator: "; "))
                repeat it: REGIONSYNC_SEED=\(outcome.seed) swift test --filter ScheduleTests
                """)
        }
        if Schedules.only != nil { print(outcomes.flatMap(\.story).joined(separator: "\n")) }
    }

    @Test("a seed always tells the same story", arguments: [1, 2, 3])
    func repeats(seed: UInt64) {
        var (one, other) = (World(Plan(seed: seed)), World(Plan(seed: seed)))
        one.run()
        other.run()
        #expect(one.trace == other.trace)
        #expect(one.story == other.story)
    }
}
