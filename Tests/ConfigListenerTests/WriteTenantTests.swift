import Journal
import NIOPosix
import PortFixtures
import Projection
import RESP
import RESPServer
import RedisClient
import ServerFixtures
import Tenants
import Testing
import Worker

@testable import ConfigListener

@Suite("Writes to a tenant that is named by its name", SharedDatabase())
struct WriteTenantTests {
    private let database: WritingDatabase

    init() throws { database = try #require(SharedDatabase.current) }

    @Test("are refused where the name has gone to another one since it was looked up")
    func movedName() async throws {
        let (first, second) = (try await database.tenant("shop"), try await database.tenant("store"))
        try await withRegion { writes, redis in
            try await show(first, "shop", in: redis)
            try await show(second, "store", in: redis)
            let made = try await writes.id("CFG.PUT shop skill NEW name a ONCE k")
            try await rename(first, "closed")
            try await rename(second, "shop")
            let message =
                "shop: names another tenant by now, or none; nothing was written: say the dbid of the one that is meant"
            for words in ["CFG.PUT shop skill NEW name b", "CFG.DEL shop skill \(made)"] {
                #expect(try await writes.say(words).refusal == "CONFLICT \(message)", "\(words)")
            }
            let together = ["CFG.PUT \(second) skill NEW name c", "CFG.PUT shop skill NEW name b"]
            #expect(try await writes.sayTogether(together).refusal == "CONFLICT command 2: \(message)")
            #expect(try await skills(of: [first, second]) == ["\(first) a"])
            // What was made is answered again, and a dbid is nobody else's.
            #expect(try await writes.id("CFG.PUT shop skill NEW name a ONCE k") == made)
            _ = try await writes.id("CFG.PUT \(first) skill NEW name d")
            // Nobody has it now.
            try await rename(second, "market")
            #expect(try await writes.say("CFG.PUT shop skill NEW name b").refusal == "CONFLICT \(message)")
            try await rename(second, "shop")
            try await show(first, "closed", in: redis)
            try await show(second, "shop", in: redis)
            // A name that is not known is looked for, and so all are.
            _ = try await writes.id("CFG.PUT closed skill NEW name e")
            _ = try await writes.id("CFG.PUT shop skill NEW name f")
            #expect(
                try await skills(of: [first, second]) == ["\(first) a", "\(first) d", "\(first) e", "\(second) f"])
        }
    }

    @Test("are made where the transaction itself gives it another name")
    func renamed() async throws {
        let tenant = try await database.tenant("before")
        try await withRegion { writes, redis in
            try await show(tenant, "before", in: redis)
            let reply = try await writes.sayTogether(
                ["CFG.PUT before tenant \(tenant) name after", "CFG.PUT before skill NEW name a"])
            #expect(!reply.isError, "\(reply)")
            #expect(try await skills(of: [tenant]) == ["\(tenant) a"])
            #expect(try await writes.say("CFG.PUT before skill NEW name b").refusal.hasPrefix("CONFLICT before: "))
        }
    }

    /// A port of a region whose Redis is the test's to fill.
    private func withRegion(_ body: (WritingDatabase, RedisConnection) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let client = RedisClient(
                endpoint: .patient(server.port), name: "test", eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                defer { tasks.cancelAll() }
                tasks.addTask { await client.run() }
                let redis = try await client.connection()
                try await body(database.knowing(TenantLookup(store: RedisProjectionStore(client: client))), redis)
            }
        }
    }

    /// The region's cache has the tenant by this name.
    private func show(_ tenant: String, _ name: String, in redis: RedisConnection) async throws {
        _ = try await redis.send(RedisCommand("SADD", tenantsKey, tenant))
        let key = ProjectionKeys.object(tenant: tenant, type: "tenant", id: tenant)
        _ = try await redis.send(RedisCommand("HSET", key, "name", name))
    }

    private func rename(_ tenant: String, _ name: String) async throws {
        _ = try await database.texts("UPDATE provisioning.tenant SET name = '\(name)' WHERE dbid = \(tenant)")
    }

    /// Each as `<tenant> <name>`, in order.
    private func skills(of tenants: [String]) async throws -> [String] {
        try await database.texts(
            """
            SELECT concat(tenant_dbid, ' ', name) FROM provisioning.skill
            WHERE tenant_dbid IN (\(tenants.joined(separator: ", "))) ORDER BY tenant_dbid, name
            """)
    }
}
