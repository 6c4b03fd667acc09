internal import Journal
package import Projection
package import RESP
package import RESPServer
internal import Synchronization

/// Which tenants there are in the region, by dbid and by name: what requests name them by.
///
/// All are looked at once a second, and once more when a request names one that is not known.
package final class TenantLookup: Sendable {
    private struct Known {
        var dbids: Set<Int64> = []
        var dbidsByName: [String: Int64] = [:]
        var hasLooked = false
    }

    private static let interval = Duration.seconds(1)

    private let store: any ProjectionStore
    /// Those that the region file names, whether provisioning knows them or not.
    private let fixed: Set<Int64>
    private let known = Mutex(Known())

    package init(store: any ProjectionStore, fixed: [Int64] = []) {
        self.store = store
        self.fixed = Set(fixed)
    }

    /// Looks once a second, until cancelled; what is known stays while Redis does not say.
    package func run() async {
        while !Task.isCancelled {
            try? await look()
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// The dbid of the tenant that `word`, a dbid or a name, names, if that is known; asks nobody.
    package func known(_ word: String) -> Int64? {
        known.withLock { known in
            if let dbid = Int64(word) {
                return known.dbids.contains(dbid) || fixed.contains(dbid) ? dbid : nil
            }
            return known.dbidsByName[word]
        }
    }

    /// The dbid of the tenant that `word` names.
    ///
    /// - Throws: `NOTENANT` where there is none, or where `account` does not see it, which must not tell the two apart;
    ///   `UNAVAILABLE` where that cannot be found out.
    package func tenant(_ word: String, for account: Account) async throws(ReplyError) -> Int64 {
        var dbid = known(word)
        if dbid == nil {
            do {
                try await look()
            } catch {
                throw ReplyError(code: "UNAVAILABLE", message: "the region's Redis does not answer")
            }
            dbid = known(word)
        }
        guard let dbid, account.sees(tenant: dbid) else { throw .noTenant }
        return dbid
    }

    private func look() async throws(StoreFailure) {
        let members = try await store.answers([RedisCommand("SMEMBERS", tenantsKey)])
        let dbids = members.flatMap(\.elements).compactMap { $0.text.flatMap { Int64($0) } }
        let names = try await store.answers(
            dbids.map {
                RedisCommand("HGET", ProjectionKeys.object(tenant: "\($0)", type: "tenant", id: "\($0)"), "name")
            })
        var fresh = Known(dbids: Set(dbids), hasLooked: true)
        for (dbid, name) in zip(dbids, names) {
            if let name = name.text { fresh.dbidsByName[name] = dbid }
        }
        known.withLock { $0 = fresh }
    }
}

extension ReplyError {
    /// There is no tenant of that name, as far as the account is told.
    package static let noTenant = ReplyError(code: "NOTENANT", message: "no such tenant")
}
