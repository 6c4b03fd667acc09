/// Schedules of many seeds.
package enum Schedule {
    /// What became of one.
    package struct Outcome: Sendable {
        package let seed: UInt64
        package let isHarsh: Bool
        /// Promises that were broken.
        package let offences: [String]
        package let story: [String]
        package let faults: Int
        /// What the functions were called for and how often, over all servers.
        package let tally: [String: Int]
        /// From the last fault until all had come to rest, ms.
        package let settledAfter: Int?

        /// What was broken, and how to see it again.
        package var complaint: String {
            "seed \(seed): \(offences.joined(separator: "; "))\n"
                + "repeat it: ops/simulate --story --seed \(seed)\(isHarsh ? " --harsh" : "")"
        }
    }

    /// Runs one schedule a seed, several at a time; answers in order.
    package static func run(seeds: Range<UInt64>, isHarsh: Bool = false, workers: UInt64 = 2) async -> [Outcome] {
        await withTaskGroup(of: [Outcome].self) { group in
            for worker in 0..<workers {
                group.addTask {
                    stride(from: seeds.lowerBound + worker, to: seeds.upperBound, by: Int(workers)).map {
                        run($0, isHarsh: isHarsh)
                    }
                }
            }
            return await group.reduce(into: []) { $0 += $1 }.sorted { $0.seed < $1.seed }
        }
    }

    private static func run(_ seed: UInt64, isHarsh: Bool) -> Outcome {
        var world = World(Plan(seed: seed, isHarsh: isHarsh))
        world.run()
        return Outcome(
            seed: seed, isHarsh: isHarsh, offences: world.offences, story: world.story, faults: world.faults,
            tally: world.tally,
            settledAfter: world.settledAt.map { $0 - world.plan.calmAt })
    }
}
