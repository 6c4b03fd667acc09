internal import ArgumentParser
internal import Journal

/// Where some tenants' events are born and where their copies are read: `SOURCE>TARGET/REGION/FIRST-LAST`.
///
/// `127.0.0.1:6379>127.0.0.1:6380/us-east/101-600`: voice journals of tenants 101 to 600, born in us-east.
struct Lane: ExpressibleByArgument, Sendable {
    let source: Server
    let target: Server
    let streams: [String]

    init?(argument: String) {
        let parts = argument.split(separator: "/")
        guard parts.count == 3 else { return nil }
        let servers = parts[0].split(separator: ">").compactMap { Server(argument: String($0)) }
        let tenants = parts[2].split(separator: "-").compactMap { Int($0) }
        guard servers.count == 2, tenants.count == 2, tenants[0] <= tenants[1] else { return nil }
        source = servers[0]
        target = servers[1]
        streams = (tenants[0]...tenants[1]).map {
            JournalName.voice(tenant: String($0), origin: String(parts[1])).key
        }
    }
}
