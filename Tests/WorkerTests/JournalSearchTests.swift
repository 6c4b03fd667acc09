import Journal
import Mirror
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import Worker

@Suite("Voice journals of tenants that nobody has named", .serialized)
struct JournalSearchTests {
    @Test("are found among other keys, mirrored, and made known to all who read the region's tenants")
    func found() async throws {
        try await TwoRegions.run(mirroring: []) { regions in
            let client = try await regions.client(of: regions.east)
            let own = JournalName.voice(tenant: "777", origin: "east")
            let others = [
                JournalName.voice(tenant: "778", origin: "west"), .voice(tenant: "779", origin: "elsewhere"),
                .voice(tenant: "abc", origin: "east"), .voice(tenant: "0780", origin: "east"),
                JournalName(.requests, tenant: "781", origin: "east"),
            ]
            var commands = (1...5_000).map { RedisCommand("SET", "other:\($0)", "x") }
            commands.append(RedisCommand("SET", JournalName.voice(tenant: "782", origin: "east").key, "x"))
            commands += ([own] + others).map { RedisCommand("XADD", $0.key, "7-1", "n", "1") }
            for result in await client.pipeline(commands) { _ = try result.get() }
            let keeper = RedisClient(
                endpoint: regions.east.patientEndpoint, name: "test",
                eventLoop: MultiThreadedEventLoopGroup.singleton.any())
            let directory = TenantDirectory(region: "east", fixed: [], client: keeper, links: [regions.link])
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                group.addTask { await keeper.run() }
                group.addTask { await directory.run() }
                try await regions.until { await regions.link.acknowledged(of: own) == EntryID("7-1") }
                try await regions.until {
                    let known = try await client.send(RedisCommand("SMEMBERS", tenantsKey))
                    return Set(known.elements.compactMap(\.string)) == ["777", "778"]
                }
                // What the peer lacks is known only when all journals are.
                try await regions.until {
                    regions.metrics.gauge(.mirrorLagEntries, [.peer: "west", .topic: "voice"]).value == 0
                }
            }
            #expect(try await client.send(RedisCommand("SCARD", tenantsKey)).integer == 2)
            await client.close()
        }
    }

    @Test("a walk through another server begins with that one's first key")
    func anotherServer() async throws {
        try await RedisServer.with { former in
            try await RedisServer.with { server in
                var search = JournalSearch(regions: ["east"])
                let journals = (1...50).map { JournalName.voice(tenant: "\($0)", origin: "east") }
                for (one, journals) in [(former, []), (server, journals)] {
                    let connection = try await RedisConnection.connect(
                        to: one.patientEndpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
                    var commands = (1...20_000).map { RedisCommand("SET", "other:\($0)", "x") }
                    commands += journals.map { RedisCommand("XADD", $0.key, "7-1", "n", "1") }
                    for result in await connection.pipeline(commands) { _ = try result.get() }
                    var found: Set<String> = []
                    if one === former {
                        for _ in 1...8 { found.formUnion(await search.step(through: connection)) }
                        #expect(!search.hasSeenAll)
                    } else {
                        while !search.hasSeenAll { found.formUnion(await search.step(through: connection)) }
                    }
                    #expect(found == Set(journals.map(\.tenant)))
                    await connection.close()
                }
            }
        }
    }

    @Test("a walk goes on where it was, rests when it has seen all, and is tried again soon where it could not go on")
    func steps() async throws {
        try await RedisServer.with { server in
            let connection = try await RedisConnection.connect(
                to: server.patientEndpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
            let journals = (1...50).map { JournalName.voice(tenant: "\($0)", origin: "east") }
            var commands = (1...20_000).map { RedisCommand("SET", "other:\($0)", "x") }
            commands += journals.map { RedisCommand("XADD", $0.key, "7-1", "n", "1") }
            for result in await connection.pipeline(commands) { _ = try result.get() }
            let began = ContinuousClock.now
            var search = JournalSearch(regions: ["east"])
            var found: Set<String> = []
            var steps = 0
            while !search.hasSeenAll {
                found.formUnion(await search.step(through: connection))
                steps += 1
            }
            #expect(steps > 5)
            #expect(found == Set(journals.map(\.tenant)))
            #expect(search.dueAt > began + .seconds(10))
            await connection.close()
            let late = await search.step(through: connection)
            #expect(late.isEmpty)
            #expect(search.dueAt < .now + .seconds(10))
        }
    }
}
