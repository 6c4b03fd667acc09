internal import CrashPoints
package import Journal
internal import NIOCore
package import Projection
package import Provisioning
internal import RESP

/// A region's cache, as a comparison reads it.
package struct CachedObjects: Sendable {
    /// Answers that are asked for together.
    static let batch = 1000

    package let store: any ProjectionStore

    package init(store: any ProjectionStore) { self.store = store }

    /// How far all tenants are projected; zero when nothing was.
    package func projected() async throws(StoreFailure) -> Position {
        let reply = try await ask(RedisCommand("HGET", ProjectionKeys.trailing, "provisioning"))
        return reply.text.flatMap { Position($0) } ?? .zero
    }

    /// The same, why the cache may be stale, and what stands there of journals with which something was amiss.
    package func standing() async throws(StoreFailure) -> (
        projected: Position, staleness: Staleness?, inexactness: String?
    ) {
        let reply = try await ask(
            RedisCommand("HMGET", ProjectionKeys.trailing, "provisioning", Staleness.field, Inexactness.field))
        let words = reply.elements.map(\.text)
        guard words.count == 3 else { return (.zero, nil, nil) }
        return (words[0].flatMap { Position($0) } ?? .zero, words[1].flatMap { Staleness($0) }, words[2])
    }

    /// Says that the cache is no longer stale, if nothing else made it so since.
    package func noteFresh(_ staleness: Staleness) async throws(StoreFailure) {
        _ = try await store.answers([ProjectionFunctions.library.loadCommand, RepairCalls.fresh(staleness)])
        CrashPoint.repairNotedFresh.pass()
    }

    /// Says that what was amiss with the journals left nothing wrong in the cache, if nothing else was met since.
    package func noteExact(_ inexactness: String) async throws(StoreFailure) {
        _ = try await store.answers([ProjectionFunctions.library.loadCommand, RepairCalls.exact(inexactness)])
    }

    /// The tenants that provisioning names.
    package func tenants() async throws(StoreFailure) -> Set<String> {
        Set(try await ask(RedisCommand("SMEMBERS", tenantsKey)).elements.compactMap(\.text))
    }

    /// What the projection says that each bucket holds.
    package func digests(tenant: String, type: String) async throws(StoreFailure) -> TenantDigests {
        do throws(StoreFailure) {
            let reply = try await ask(RedisCommand("HGETALL", ProjectionKeys.digests(tenant: tenant, type: type)))
            return TenantDigests(tenant: tenant, fields: reply.elements.map { $0.text ?? "" })
        } catch {
            // Somebody put something else there, so that nothing is known.
            guard error.isWrongType else { throw error }
            return TenantDigests(tenant: tenant)
        }
    }

    /// Whether a tenant has objects of a type, whatever is counted of them.
    func hasObjects(tenant: String, type: String) async throws(StoreFailure) -> Bool {
        try await ask(RedisCommand("EXISTS", ProjectionKeys.objects(tenant: tenant, type: type))) == .integer(1)
    }

    /// The objects' own digests; nil for one that is not there, or has none.
    package func digests(
        of keys: [String], tenant: String, type: String
    ) async throws(StoreFailure) -> [ObjectDigest?] {
        var digests: [ObjectDigest?] = []
        digests.reserveCapacity(keys.count)
        for start in stride(from: 0, to: keys.count, by: Self.batch) {
            let results = await store.run(
                keys[start..<min(start + Self.batch, keys.count)].map {
                    RedisCommand("HGET", ProjectionKeys.object(tenant: tenant, type: type, id: $0), "_d")
                })
            for result in results {
                // A key that holds something else is no object.
                if case .failure(let failure) = result, failure.isWrongType {
                    digests.append(nil)
                } else {
                    digests.append(try result.get().text.flatMap { UInt64($0) }.map { ObjectDigest(value: $0) })
                }
            }
        }
        return digests
    }

    /// Hands out all keys of a type; some may come twice, and those that come or go meanwhile may or may not.
    package func forEachKey(
        tenant: String, type: String, _ body: ([String]) async throws -> Void
    ) async throws {
        try await scan(["SSCAN", ProjectionKeys.objects(tenant: tenant, type: type)]) { page in
            try await body(page.compactMap(\.text))
        }
    }

    /// Hands out all keys of the server that begin with a text; some may come twice.
    func forEachStoredKey(beginningWith text: String, _ body: ([String]) async throws -> Void) async throws {
        let pattern = text.map { #"*?[]^-\"#.contains($0) ? "\\\($0)" : "\($0)" }.joined() + "*"
        try await scan(["SCAN"], matching: ["MATCH", pattern]) { page in
            try await body(page.compactMap(\.text).filter { $0.hasPrefix(text) })
        }
    }

    /// Hands out what a scan finds, page by page; the next one is asked for meanwhile.
    func scan(
        _ command: [String], matching words: [String] = [], _ body: ([StoreReply]) async throws -> Void
    ) async throws {
        let behind = words + ["COUNT", "1000"]
        var page = try await page(command, at: "0", behind)
        while page.next != "0" {
            let cursor = page.next
            async let following = self.page(command, at: cursor, behind)
            try await body(page.found)
            page = try await following
        }
        try await body(page.found)
    }

    /// What a scan found, and where it goes on.
    private struct Page: Sendable {
        let next: String
        let found: [StoreReply]
    }

    private func page(_ command: [String], at cursor: String, _ words: [String]) async throws -> Page {
        let reply = try await ask(RedisCommand(command + [cursor] + words))
        guard let next = reply.elements.first?.text, reply.elements.count == 2 else {
            throw StoreFailure.server(code: command[0], message: "answered something else")
        }
        return Page(next: next, found: reply.elements[1].elements)
    }

    func ask(_ command: RedisCommand) async throws(StoreFailure) -> StoreReply {
        guard let reply = try await store.answers([command]).first else { throw .unreachable("no answer") }
        return reply
    }
}
