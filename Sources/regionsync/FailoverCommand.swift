internal import ArgumentParser
internal import Failover
internal import FailoverAdapters
internal import Foundation
internal import RegionConfig

/// `regionsync failover`: another region takes over.
struct FailoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "failover", abstract: "Lets a region take over from the one that captures, which is down.",
        discussion: """
            Looks at the standby of PostgreSQL, and at the Redis and worker of the region that takes over, and refuses when \
            one is missing, when more may be lost than failover.maximumLoss of its region file allows, or when the other \
            region is heard still, unless --even-if-alive is given. Then, in order: \
            where there are more than two regions, reserves the next history number in those that can be reached; runs \
            failover.fence; with more than two regions, fetches what another one alone has of the one that is down, and gives \
            the others what they lack; waits until what is here is projected; runs failover.promote; claims the next history \
            number; declares the other region down and where its journals end; closes its open calls and logs its agents \
            out; waits until this region captures; compares. Nothing is needed of the region that is down.

            Every step can be repeated: a run that was cut off is run again. Of two operators the second one is refused.

              regionsync failover --region regions/eu-west.yaml --dry-run

            Exit status: 0 it passed, 1 a check found what must not be, 2 refused, 3 a step could not be done, 64 for a wrong \
            command line, 78 for a wrong region file.
            """)

    @OptionGroup
    var options: FailoverOptions

    @Option(
        help: ArgumentHelp(
            "How many voice events may be lost, or any; without it, failover.maximumLoss of the region file.",
            valueName: "events"))
    var acceptLoss: LossOption?

    @Flag(help: "Go on although the region that is to be declared down is heard still.")
    var evenIfAlive = false

    func run() async throws {
        try await options.run(.failover, acceptedLoss: acceptLoss?.loss, evenIfAlive: evenIfAlive)
    }
}

/// `regionsync failback`: a region that came back is given its role again.
struct FailbackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "failback", abstract: "Gives a region that was down and came back its role again.",
        discussion: """
            Before: its Redis and worker run, its PostgreSQL was made a standby of the present primary (pg_rewind or \
            pg_basebackup), and its front ends are still kept out. Refuses when one of these servers, its worker, \
            failover.fence or failover.promote is missing, when no other region has taken over from it, while somebody \
            writes to its voice journals, or while a peer lacks entries of them. Then, in order: closes the calls and logs \
            out the agents that it had left open, and lets its peers project again what it writes from then on; runs \
            failover.fence, which stops the present primary so that its standby has everything; waits until what is here is \
            projected; runs failover.promote; claims the next history number; waits until the region captures; compares.

              regionsync failback --region regions/us-east.yaml --dry-run

            What it wrote when it died, and its peers had not received by then, was mirrored when it came back: it is kept \
            in the journals, counted, and stays out of its peers' state.

            Exit status: 0 it passed, 1 a check found what must not be, 2 refused, 3 a step could not be done, 64 for a wrong \
            command line, 78 for a wrong region file.
            """)

    @OptionGroup
    var options: FailoverOptions

    func run() async throws {
        try await options.run(.failback, acceptedLoss: nil)
    }
}

/// What both take.
struct FailoverOptions: ParsableArguments {
    @OptionGroup
    var regions: RegionsOption

    @Option(help: "The region that takes over; needed where several region files are given, of which one is its own.")
    var to: String?

    @Flag(help: "Only look, and say what would be done.")
    var dryRun = false

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    /// Runs it; a bad end becomes the exit status.
    func run(
        _ kind: FailoverMachine.Kind, acceptedLoss: AcceptedLoss?, evenIfAlive: Bool = false
    ) async throws {
        let region = try target(among: try regions.load().map(\.region))
        let failover = FailoverRun(
            kind, to: region, acceptedLoss: acceptedLoss, isDryRun: dryRun, evenIfAlive: evenIfAlive)
        let report = await failover.run { step in
            let note = step.note.isEmpty ? "" : ": \(step.note)"
            let line = "\(step.step.rawValue) \(step.result?.rawValue ?? "")\(note)\n"
            FileHandle.standardError.write(Data(line.utf8))
        }
        print(json ? try jsonLine(report) : report.text, terminator: json ? "\n" : "")
        if report.exitCode != 0 { throw ExitCode(report.exitCode) }
    }

    private func target(among regions: [Region]) throws -> Region {
        let given = regions.map(\.name).joined(separator: ", ")
        guard let to else {
            if regions.count == 1 { return regions[0] }
            throw failure("the files given are those of \(given): --to names the one that takes over", .usage)
        }
        guard let region = regions.first(where: { $0.name == to }) else {
            throw failure("--to \(to): the files given are those of \(given)", .usage)
        }
        return region
    }
}

/// A number of events, or `any`.
struct LossOption: ExpressibleByArgument {
    let loss: AcceptedLoss

    init?(argument: String) {
        if argument == "any" {
            loss = .any
        } else if let events = UInt64(argument) {
            loss = .events(events)
        } else {
            return nil
        }
    }
}
