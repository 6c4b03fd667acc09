internal import Journal
internal import Mirror
internal import RESP
internal import RedisClient

/// Tells the links which tenants there are: those the region file names and those the projection has seen.
struct TenantDirectory: Sendable {
    let region: String
    let fixed: [String]
    let client: RedisClient
    let links: [MirrorLink]

    /// Looks once a second, until cancelled.
    func run() async {
        for link in links {
            await link.mirror([.provisioning(origin: region), .control(origin: region)], areAll: false)
        }
        var known: Set<String> = []
        await announce(fixed, areAll: false, known: &known)
        while !Task.isCancelled {
            if let tenants = await listed() { await announce(tenants, areAll: true, known: &known) }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// Nil while Redis does not say.
    private func listed() async -> [String]? {
        guard case .connected(let connection) = await client.state,
            let reply = try? await connection.send(RedisCommand("SMEMBERS", tenantsKey))
        else { return nil }
        return reply.elements.compactMap(\.string)
    }

    private func announce(_ tenants: [String], areAll: Bool, known: inout Set<String>) async {
        let new = tenants.filter { known.insert($0).inserted }.sorted()
        for link in links { await link.mirror(new.map { .voice(tenant: $0, origin: region) }, areAll: areAll) }
    }
}
