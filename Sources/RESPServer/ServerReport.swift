internal import Glibc
internal import NIOCore

/// What `INFO` answers.
struct ServerReport {
    private let sections: [CommandTable.Information]

    init(_ listener: Listener) {
        let counts = listener.connectionCounts
        let uptime = Duration(uptimeOf: .now()) - listener.started
        sections =
            [
                (
                    "Server",
                    [
                        ("redis_version", ServerIdentity.redisVersion), ("redis_mode", "standalone"),
                        ("regionsync_version", listener.identity.version), ("process_id", String(getpid())),
                        ("uptime_in_seconds", String(uptime.components.seconds)),
                    ]
                ),
                (
                    "Clients",
                    [
                        ("connected_clients", String(counts.open)), ("maxclients", String(listener.limits.clients)),
                    ]
                ),
                (
                    "Stats",
                    [
                        ("total_connections_received", String(counts.accepted)),
                        ("total_commands_processed", String(listener.metrics.answeredCount)),
                    ]
                ),
            ] + listener.table.information()
    }

    /// The sections of these names, in lower case; all where none is named, or one of `all`, `default`, `everything`.
    func text(_ names: [String]) -> String {
        let isAll = names.isEmpty || names.contains { ["all", "default", "everything"].contains($0) }
        return
            sections
            .filter { isAll || names.contains($0.section.lowercased()) }
            .map { section, lines in
                "# \(section)\r\n" + lines.map { "\($0.key):\($0.value)\r\n" }.joined()
            }
            .joined(separator: "\r\n")
    }
}
