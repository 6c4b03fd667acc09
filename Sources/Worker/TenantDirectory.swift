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
            await link.mirror([.provisioning(origin: region), .control(origin: region)])
        }
        var known: Set<String> = []
        await announce(fixed, known: &known)
        while !Task.isCancelled {
            await announce(await listed(), known: &known)
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func listed() async -> [String] {
        guard case .connected(let connection) = await client.state,
            let reply = try? await connection.send(RedisCommand("SMEMBERS", tenantsKey))
        else { return [] }
        return reply.elements.compactMap(\.string)
    }

    private func announce(_ tenants: [String], known: inout Set<String>) async {
        let new = tenants.filter { known.insert($0).inserted }.sorted()
        guard !new.isEmpty else { return }
        for link in links { await link.mirror(new.map { .voice(tenant: $0, origin: region) }) }
    }
}
