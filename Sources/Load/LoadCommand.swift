internal import ArgumentParser

/// The measuring client's root: what `ops/bench` and `ops/drill` write, read, wait and disturb with.
@main
struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "regionsync-load",
        abstract: "Writes to Redis streams and measures when what was written arrives elsewhere.",
        discussion: """
            A part of ops/bench and ops/drill. Every command prints one JSON object as its last line; all times are by one \
            monotonic clock.
            """,
        subcommands: [
            FanOutCommand.self, FillCommand.self, LagCommand.self, ProxyCommand.self, VisibleCommand.self,
            WatchCommand.self,
        ])
}
