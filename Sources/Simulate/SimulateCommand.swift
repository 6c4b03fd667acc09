import ArgumentParser
import Simulation

/// Runs schedules of the simulation, and says which broke a promise.
@main
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "regionsync-simulate",
        abstract: "Run regions, their servers, workers and links in one thread, with faults by seed.",
        discussion:
            "Exits with 1 when a promise was broken. What a seed does depends on the version of this program alone.")

    @Option(help: "The first seed.")
    var seed: UInt64 = 0

    @Option(help: "How many seeds, one after the other.")
    var schedules = 1

    @Flag(
        help:
            "Let Redis servers lose their tails or all they hold more than once a schedule; not all promises hold then."
    )
    var harsh = false

    @Flag(help: "Tell what happened in each.")
    var story = false

    func run() async throws {
        let outcomes = await Schedule.run(seeds: seed..<seed + UInt64(schedules), isHarsh: harsh)
        for outcome in outcomes {
            if story { print(outcome.story.joined(separator: "\n")) }
            if !outcome.offences.isEmpty { print(outcome.complaint) }
        }
        let failed = outcomes.filter { !$0.offences.isEmpty }.count
        let tally = outcomes.reduce(into: [String: Int]()) { $0.merge($1.tally, uniquingKeysWith: +) }
        if story { for (name, count) in tally.sorted(by: { $0.key < $1.key }) { print("\(count) \(name)") } }
        let faults = outcomes.reduce(0) { $0 + $1.faults }
        print("\(outcomes.count) schedules, \(faults) faults, \(failed) failed")
        if failed > 0 { throw ExitCode(1) }
    }
}
