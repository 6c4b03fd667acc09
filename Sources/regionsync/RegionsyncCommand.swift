internal import ArgumentParser
internal import Worker

/// The command line's root.
@main
struct RegionsyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "regionsync",
        abstract: "Keeps a region's provisioning and voice events fresh, and in step with its peer regions.",
        discussion: """
            One worker runs in each region beside its Redis: `regionsync run --region regions/us-east.yaml`.
            Every command explains itself with --help; region files are explained in regions/README.md.
            """,
        version: RegionWorker.version,
        subcommands: [
            RunCommand.self, CheckCommand.self, StatusCommand.self, VerifyCommand.self, JournalsCommand.self,
            FailoverCommand.self, FailbackCommand.self, MigrateCommand.self, GenerateCommand.self,
        ])
}
