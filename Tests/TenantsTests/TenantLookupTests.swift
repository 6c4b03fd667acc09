import Journal
import NIOPosix
import Projection
import RESP
import RESPServer
import RedisClient
import ServerFixtures
import Testing
import Worker

@testable import Tenants

@Suite("Tenants by name and dbid", .timeLimit(.minutes(5)))
struct TenantLookupTests {
    private let all = Account(name: "gws", permissions: [.read], tenants: .all)
    private let some = Account(name: "pulse", permissions: [.read], tenants: .some([101]))

    @Test("One that came a moment ago is found, and one that is not seen is told of as one that is not there")
    func finds() async throws {
        try await withLookup { lookup, redis in
            await expectNone(lookup, "Acme", all)
            try await add(101, "Acme", to: redis)
            try await add(102, "Other", to: redis)
            #expect(try await lookup.tenant("Acme", for: all) == 101)
            #expect(lookup.known("Acme") == 101)
            #expect(lookup.known(in: Request("CFG.GET", "102"), at: 1) == 102)
            #expect(try await lookup.tenant("101", for: some) == 101)
            await expectNone(lookup, "Other", some)
            await expectNone(lookup, "102", some)
            await expectNone(lookup, "103", all)
            await expectNone(lookup, "7", all)
            #expect(try await lookup.tenant("7777", for: all) == 7777)
        }
    }

    @Test("A new name is known, and the old one is not any more")
    func renames() async throws {
        try await withLookup { lookup, redis in
            try await add(101, "Acme", to: redis)
            #expect(try await lookup.tenant("Acme", for: all) == 101)
            try await add(101, "Bolt", to: redis)
            #expect(try await lookup.tenant("Bolt", for: all) == 101)
            await expectNone(lookup, "Acme", all)
        }
    }

    @Test("What stands in the place of a tenant's object hides its name and nothing else")
    func foreignKey() async throws {
        try await withLookup { lookup, redis in
            try await add(101, "Acme", to: redis)
            _ = try await redis.send(RedisCommand("SADD", tenantsKey, "102"))
            _ = try await redis.send(RedisCommand("SET", "cfg:{102}:tenant:102", "x"))
            #expect(try await lookup.tenant("Acme", for: all) == 101)
            #expect(try await lookup.tenant("102", for: all) == 102)
        }
    }

    @Test("An emptied Redis takes no tenant away, and one that is gone says nothing of others")
    func away() async throws {
        try await RedisServer.with { server in
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let endpoint = RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(30))
            let redis = try await RedisConnection.connect(to: endpoint, name: "test", on: loop)
            let lookup = TenantLookup(store: ConnectionStore(connection: redis))
            try await add(101, "Acme", to: redis)
            #expect(try await lookup.tenant("Acme", for: all) == 101)
            _ = try await redis.send(RedisCommand("FLUSHALL"))
            await expectNone(lookup, "Other", all)
            #expect(try await lookup.tenant("Acme", for: all) == 101)
            // It is filled again, and has not come to 101 yet.
            try await add(102, "Bolt", to: redis)
            #expect(try await lookup.tenant("Bolt", for: all) == 102)
            #expect(try await lookup.tenant("Acme", for: all) == 101)
            await server.kill()
            let silence = ReplyError(code: "UNAVAILABLE", message: "the region's Redis does not answer")
            await #expect(throws: silence) { try await lookup.tenant("Other", for: all) }
            #expect(try await lookup.tenant("Acme", for: all) == 101)
            // Told apart, they would tell that there is an Acme.
            let others = Account(name: "pulse", permissions: [.read], tenants: .some([102]))
            for word in ["Acme", "101", "Other", "103"] {
                await #expect(throws: silence) { try await lookup.tenant(word, for: others) }
            }
        }
    }

    private func expectNone(_ lookup: TenantLookup, _ word: String, _ account: Account) async {
        await #expect(throws: ReplyError.noTenant) { try await lookup.tenant(word, for: account) }
    }

    private func add(_ dbid: Int, _ name: String, to redis: RedisConnection) async throws {
        _ = try await redis.send(RedisCommand("SADD", tenantsKey, "\(dbid)"))
        _ = try await redis.send(RedisCommand("HSET", "cfg:{\(dbid)}:tenant:\(dbid)", "name", name))
    }

    /// A lookup to which the region file has named tenant 7777.
    private func withLookup(_ body: (TenantLookup, RedisConnection) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let endpoint = RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(30))
            let redis = try await RedisConnection.connect(to: endpoint, name: "test", on: loop)
            try await body(TenantLookup(store: ConnectionStore(connection: redis), fixed: [7777]), redis)
            await redis.close()
        }
    }
}

/// One connection as a store.
private struct ConnectionStore: ProjectionStore {
    let connection: RedisConnection

    func send(_ commands: [RedisCommand]) async -> SentCommands {
        let results = await connection.pipeline(commands)
        return SentCommands {
            results.map { result in result.map { StoreReply($0) }.mapError { StoreFailure($0) } }
        }
    }
}
