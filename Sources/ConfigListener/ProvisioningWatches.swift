internal import Journal
internal import RESPServer

/// All watches of a port, and how far those have come that are told what happens as it happens. A value.
///
/// A watch that begins at an earlier place catches up for itself, and is `live` when it has come to the place of those that
/// are; so nothing is told twice or left out.
struct ProvisioningWatches: Sendable {
    /// Watches of one connection.
    static let limit = 64

    private struct Connection: Sendable {
        var lastNumber: Int64 = 0
        /// Numbers of its watches, and their tenants.
        var tenants: [Int64: String] = [:]
    }

    private struct Key: Hashable, Sendable {
        let client: Int64
        let number: Int64
    }

    private var connections: [Int64: Connection] = [:]
    private var live: [String: [Key: ProvisioningWatch]] = [:]

    /// Whether nobody is told anything as it happens.
    var isIdle: Bool { live.isEmpty }

    /// How many connections watch something, and how many watches are live.
    var size: (connections: Int, live: Int) { (connections.count, live.values.reduce(0) { $0 + $1.count }) }

    /// A number for one more watch of a connection; nil where it has too many. `isFirst`: the connection's end has to be
    /// told from now on.
    mutating func began(by client: Int64, tenant: String) -> (number: Int64, isFirst: Bool)? {
        let isFirst = connections[client] == nil
        var connection = connections[client] ?? Connection()
        guard connection.tenants.count < Self.limit else { return nil }
        connection.lastNumber += 1
        connection.tenants[connection.lastNumber] = tenant
        connections[client] = connection
        return (connection.lastNumber, isFirst)
    }

    func has(_ watch: ProvisioningWatch) -> Bool { connections[watch.client.id]?.tenants[watch.number] != nil }

    mutating func goLive(_ watch: ProvisioningWatch) {
        live[watch.tenant, default: [:]][Key(client: watch.client.id, number: watch.number)] = watch
    }

    /// A watch ended; false where there is none of that number.
    mutating func ended(_ number: Int64, of client: Int64) -> Bool {
        guard let tenant = connections[client]?.tenants.removeValue(forKey: number) else { return false }
        forget(Key(client: client, number: number), tenant)
        return true
    }

    /// A connection ended.
    mutating func ended(_ client: Int64) {
        guard let connection = connections.removeValue(forKey: client) else { return }
        for (number, tenant) in connection.tenants { forget(Key(client: client, number: number), tenant) }
    }

    var allLive: [ProvisioningWatch] { live.values.flatMap(\.values) }

    /// The live watches that an event is for.
    func watchers(of event: ProvisioningEvent) -> [ProvisioningWatch] {
        live[event.name.tenant]?.values.filter { $0.wants(event) } ?? []
    }

    /// The live watches that have to begin anew.
    func watchers(ofReloadAt position: Position, type: String?) -> [ProvisioningWatch] {
        live.values.flatMap { $0.values.filter { $0.wants(reloadAt: position, type: type) } }
    }

    /// Live watches of these tenants that were told everything up to `place` and are live no more.
    mutating func takeLive(of tenants: Set<String>, at place: EntryID) -> [ProvisioningWatch] {
        tenants.flatMap { tenant in
            (live.removeValue(forKey: tenant) ?? [:]).values.map { watch in
                var watch = watch
                watch.place = max(watch.place, place)
                return watch
            }
        }
    }

    private mutating func forget(_ key: Key, _ tenant: String) {
        live[tenant]?[key] = nil
        if live[tenant]?.isEmpty == true { live[tenant] = nil }
    }
}
