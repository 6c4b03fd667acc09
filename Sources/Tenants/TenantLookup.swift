internal import Journal
package import Projection
package import RESP
package import RESPServer
internal import Synchronization

/// Which tenants there are in the region, by dbid and by name: what requests name them by.
///
/// All are looked at once a second, and once more when a request names one that is not known. Numbers are dbids; a tenant
/// whose name is a number is found by its dbid alone.
package final class TenantLookup: Sendable {
    private static let interval = Duration.seconds(1)

    private let store: any ProjectionStore
    /// Those that the region file names, whether provisioning knows them or not.
    private let fixed: Set<Int64>
    private let known = Mutex(TenantNames())
    private let looks: SharedLooks

    /// `spacing` is kept between looks for tenants that are not known, whoever asks for how many.
    package init(store: any ProjectionStore, fixed: [Int64] = [], spacing: Duration = .milliseconds(50)) {
        self.store = store
        self.fixed = Set(fixed)
        looks = SharedLooks(spacing: spacing)
    }

    /// Looks once a second, until cancelled; what is known stays while Redis does not say.
    package func run() async {
        while !Task.isCancelled {
            // One look at a time: an older one that ends later must not take back what a newer one has found.
            _ = await looks.perform(look)
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// The dbid of the tenant that `word`, a dbid or a name, names, if that is known; asks nobody.
    package func known(_ word: String) -> Int64? { known(in: Request(word), at: 0) }

    /// The same of a word of a request.
    package func known(in request: Request, at index: Int) -> Int64? {
        known.withLock { known in
            guard let dbid = known.dbid(in: request, at: index) else { return nil }
            return known.dbids.contains(dbid) || fixed.contains(dbid) ? dbid : nil
        }
    }

    /// The dbid that a word of a request stands for, whether there is such a tenant or not: for who finds nothing where
    /// there is none. Asks nobody.
    package func meant(in request: Request, at index: Int) -> Int64? {
        request.integer(index) ?? known.withLock { $0.dbid(in: request, at: index) }
    }

    /// The dbid of the tenant that `word` names.
    ///
    /// One that is not seen is looked for like one that is not there, so that neither the answer nor its time tells them
    /// apart.
    ///
    /// - Throws: `NOTENANT` where there is none, or where `account` does not see it; `UNAVAILABLE` where that cannot be
    ///   found out.
    package func tenant(_ word: String, for account: Account) async throws(ReplyError) -> Int64 {
        try await tenant(in: Request(word), at: 0, for: account)
    }

    /// The same of a word of a request.
    package func tenant(in request: Request, at index: Int, for account: Account) async throws(ReplyError) -> Int64 {
        if let dbid = known(in: request, at: index), account.sees(tenant: dbid) { return dbid }
        if case .failure = await looks.perform(look) {
            throw ReplyError(code: "UNAVAILABLE", message: "the region's Redis does not answer")
        }
        guard let dbid = known(in: request, at: index), account.sees(tenant: dbid) else { throw .noTenant }
        return dbid
    }

    private func look() async throws(StoreFailure) {
        let answers = try await store.answers([
            RedisCommand("SMEMBERS", tenantsKey), RedisCommand("HGET", ProjectionKeys.trailing, "provisioning"),
        ])
        let dbids = answers[0].elements.compactMap { $0.text.flatMap { Int64($0) } }
        // A Redis that was emptied says nothing of which tenants there are, and only of some while it is filled again.
        let isComplete = answers[1] != .null
        guard !dbids.isEmpty || isComplete else { return }
        let found = await store.run(
            dbids.map {
                RedisCommand("HGET", ProjectionKeys.object(tenant: "\($0)", type: "tenant", id: "\($0)"), "name")
            })
        var tenants: [(dbid: Int64, name: String?)] = []
        for (dbid, result) in zip(dbids, found) {
            switch result {
            case .success(let name): tenants.append((dbid, name.text))
            // Something else stands in the object's place.
            case .failure(.server): tenants.append((dbid, nil))
            case .failure(let failure): throw failure
            }
        }
        let fresh = TenantNames(tenants)
        known.withLock { $0 = isComplete ? fresh : fresh.adding($0) }
    }
}

extension ReplyError {
    /// There is no tenant of that name, as far as the account is told.
    package static let noTenant = ReplyError(code: "NOTENANT", message: "no such tenant")
}
