package import Journal
internal import RESP

/// When a region asks others to restate what it lacks: once all that it lacks of one is known, and again while no
/// answer has come, ever more seldom.
package struct RestateAsking: Sendable {
    private struct Asked {
        /// Of whose journals something was missing at the last look.
        var lacking: Set<String> = []
        var tenants: Set<String> = []
        var time: Duration?
        var pause = RestateAsking.firstPause
    }

    private static let firstPause = Duration.seconds(10)
    private static let longestPause = Duration.seconds(300)
    /// Between a request and one for other tenants.
    private static let shortestPause = Duration.seconds(5)
    private static let tenantsPerRequest = 256

    private var owners: [String: Asked] = [:]

    package init() {}

    /// The requests that are due at `now`, where this is missing; asked about once a second.
    package mutating func due(_ lacking: [LackingJournal], at now: Duration) -> [RestateRequest] {
        let journals = Dictionary(grouping: lacking) { $0.journal.origin }
        owners = owners.filter { journals[$0.key] != nil }
        return journals.keys.sorted().compactMap { owner in
            var gaps: [String: EntryID] = [:]
            for one in journals[owner] ?? [] { gaps[one.journal.tenant] = one.through }
            return request(to: owner, gaps, at: now)
        }
    }

    private mutating func request(to owner: String, _ gaps: [String: EntryID], at now: Duration) -> RestateRequest? {
        var asked = owners[owner] ?? Asked()
        defer { owners[owner] = asked }
        let tenants = Set(gaps.keys)
        guard tenants == asked.lacking else {
            asked.lacking = tenants
            return nil
        }
        let some = Set(tenants.sorted().prefix(Self.tenantsPerRequest))
        let isNew = !some.isSubset(of: asked.tenants)
        if let time = asked.time, now < time + (isNew ? Self.shortestPause : asked.pause) { return nil }
        asked.pause = isNew || asked.time == nil ? Self.firstPause : min(asked.pause * 2, Self.longestPause)
        asked.time = now
        asked.tenants = some
        return RestateRequest(owner: owner, tenants: gaps.filter { some.contains($0.key) })
    }
}

extension RestateRequest {
    /// Appends the request to the control journal of the region that asks.
    func command(from region: String) -> RedisCommand {
        RedisCommand(
            "XADD", JournalName.control(origin: region).key, "*", "event", Self.event, "key", owner, "data", data)
    }
}
