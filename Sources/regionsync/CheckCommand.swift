internal import ArgumentParser
internal import Preflight
internal import RegionConfig

/// `regionsync check`: everything a region file names is tried, before anything starts.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Tries everything region files name, and says what mends what is wrong.",
        discussion: """
            Reads the files, connects to the Redis of the region and of its peers and to PostgreSQL, and looks at versions, \
            permissions, eviction policy, persistence, schema, publication, slot, the replica identity of every table of \
            the catalog, the ports to listen on, their certificates and keys and the file of accounts. It changes nothing; \
            each finding comes with the command or SQL that mends it. Passwords are never printed.

              regionsync check --region regions/us-east.yaml --region regions/eu-west.yaml

            Exit status: 0 if a worker may start (there may be warnings), 1 if there are errors, 64 for a wrong command \
            line, 78 for a wrong region file.
            """)

    @OptionGroup
    var regions: RegionsOption

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    func run() async throws {
        var sections: [FindingReport.Section] = []
        // All files first: a wrong one is told at once.
        for (file, region) in try regions.load() {
            sections.append(await RegionCheck(region, file: file).run())
        }
        let report = FindingReport(sections)
        print(json ? report.json : report.table, terminator: "")
        guard report.isClean else { throw ExitCode(1) }
    }
}
