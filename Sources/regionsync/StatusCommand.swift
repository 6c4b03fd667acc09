internal import ArgumentParser
internal import Foundation
internal import RegionConfig
internal import Verification

/// `regionsync status`: how the workers are doing.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows how the workers of one or more regions are doing.",
        discussion: """
            Asks each worker's admin port, as its region file has it. Rates are taken between two looks; latencies, the \
            columns SO FAR, are those since the worker started.

            Exit code: 0 every worker runs and is ready, 1 one does not.
            """)

    @OptionGroup
    var regions: RegionsOption

    @Flag(help: "Print JSON instead of tables: one object a look.")
    var json = false

    @Flag(help: "Look again every second until Ctrl-C.")
    var watch = false

    func run() async throws {
        let regions = try regions.load().map(\.region)
        var workers = StatusWatch(regions.map { ($0.name, $0.admin.host, $0.admin.port) })
        var overview = await workers.look()
        repeat {
            if watch { try show(overview) }
            try await Task.sleep(for: watch ? .seconds(1) : .milliseconds(500))
            overview = await workers.look()
        } while watch
        try show(overview)
        if !overview.isReady { throw ExitCode(1) }
    }

    private func show(_ overview: StatusOverview) throws {
        if json { return print(try jsonLine(overview)) }
        // Home, clear to the end: what stood there is overwritten without a flash.
        let start = watch && isatty(STDOUT_FILENO) == 1 ? "\u{1B}[H\u{1B}[J" : ""
        FileHandle.standardOutput.write(Data((start + overview.text).utf8))
    }
}
