internal import ArgumentParser

/// The measuring client's root: what `ops/bench` writes, reads and waits with.
@main
struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "regionsync-load",
        abstract: "Writes to Redis streams and measures when what was written arrives elsewhere.",
        discussion: """
            A part of ops/bench. Every command prints one JSON object as its last line; all times are by one monotonic \
            clock.
            """,
        subcommands: [FillCommand.self, LagCommand.self, VisibleCommand.self, WatchCommand.self])
}
