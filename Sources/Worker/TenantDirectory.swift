internal import Journal
internal import Mirror
internal import RESP
internal import RedisClient

/// Tells the links which tenants there are: those the region file names, those the projection has seen, and those of whom
/// there is a voice journal. The last are added to what the projection has seen, so that all others learn of them as well.
struct TenantDirectory: Sendable {
    private static let interval = Duration.seconds(1)

    let region: String
    let fixed: [String]
    let client: RedisClient
    let links: [MirrorLink]

    /// Looks once a second, and for journals all the while, until cancelled.
    func run() async {
        for link in links {
            await link.mirror([.provisioning(origin: region), .control(origin: region)], areAll: false)
        }
        await announce(fixed, areAll: false)
        var known = Set(fixed)
        var search = JournalSearch(regions: Set([region] + links.map { $0.peer }))
        var nextLook = ContinuousClock.now
        var hasListed = false
        while !Task.isCancelled {
            // While Redis is away both are tried again in a second.
            var wakeAt = ContinuousClock.now + Self.interval
            if case .connected(let connection) = await client.state {
                if ContinuousClock.now >= nextLook {
                    nextLook = .now + Self.interval
                    if let tenants = await listed(through: connection) {
                        hasListed = true
                        await announce(tenants.subtracting(known), areAll: search.hasSeenAll)
                        known.formUnion(tenants)
                    }
                }
                if ContinuousClock.now >= search.dueAt {
                    let hadSeenAll = search.hasSeenAll
                    let found = await search.step(through: connection).subtracting(known)
                    if !found.isEmpty || search.hasSeenAll != hadSeenAll {
                        await announce(found, areAll: search.hasSeenAll && hasListed)
                    }
                    // Where Redis refuses they are found once more.
                    if await add(found, through: connection) { known.formUnion(found) }
                }
                wakeAt = min(nextLook, search.dueAt)
            }
            try? await Task.sleep(until: wakeAt)
        }
    }

    /// Nil while Redis does not say.
    private func listed(through connection: RedisConnection) async -> Set<String>? {
        guard let reply = try? await connection.send(RedisCommand("SMEMBERS", tenantsKey)) else { return nil }
        return Set(reply.elements.compactMap(\.string))
    }

    /// Whether all of them are among what the projection has seen now.
    private func add(_ tenants: Set<String>, through connection: RedisConnection) async -> Bool {
        guard !tenants.isEmpty else { return true }
        return (try? await connection.send(RedisCommand(["SADD", tenantsKey] + tenants.sorted()))) != nil
    }

    private func announce(_ tenants: some Collection<String>, areAll: Bool) async {
        let journals = tenants.sorted().map { JournalName.voice(tenant: $0, origin: region) }
        for link in links { await link.mirror(journals, areAll: areAll) }
    }
}
