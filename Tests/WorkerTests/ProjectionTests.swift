import Journal
import Logging
import NIOCore
import NIOPosix
import Observability
import Projection
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing

@testable import Worker

@Suite("The projection on a real Redis", .serialized)
struct ProjectionTests {
    private static let catalog = Catalog(tables: [
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person"), type: "person", key: ["dbid"],
            tenant: "tenant_dbid", indexes: [CatalogIndex(field: "user_name", unique: true)])
    ])

    /// Runs a projector of two regions against a server of its own.
    private func withProjector(
        settings: [String] = [],
        _ body: (RedisServer, RedisClient, ComponentStates, MetricsRegistry) async throws -> Void
    ) async throws {
        let server = try await RedisServer.start(settings: settings)
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let endpoint = server.patientEndpoint
        let client = RedisClient(endpoint: endpoint, name: "test", eventLoop: loops.next())
        let store = RedisClient(endpoint: endpoint, name: "projection", eventLoop: loops.next())
        let states = ComponentStates()
        let metrics = MetricsRegistry()
        var settings = VoiceProjection.Settings(region: "us-east", peers: ["eu-west"])
        settings.tenants = ["7"]
        let projector = Projector(
            catalog: Self.catalog, settings: settings, provisioningStore: RedisProjectionStore(client: store),
            voiceStore: RedisProjectionStore(client: store),
            tail: {
                RedisProjectionTail(endpoint: endpoint, name: $0, eventLoop: loops.next(), entriesPerRead: 512)
            },
            report: ProjectionReport(
                states: states, metrics: metrics,
                logger: Logger(label: "projection") { _ in
                    SwiftLogNoOpLogHandler()
                }))
        let result: Result<Void, any Error> = await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await client.run() }
            tasks.addTask { await store.run() }
            tasks.addTask { await projector.run() }
            let result: Result<Void, any Error>
            do {
                try await body(server, client, states, metrics)
                result = .success(())
            } catch {
                result = .failure(error)
            }
            tasks.cancelAll()
            return result
        }
        await server.discard()
        try await loops.shutdownGracefully()
        try result.get()
    }

    private func put(
        _ position: Int, _ id: String, _ name: String, _ client: RedisClient, origin: String = "eu-west"
    ) async throws {
        let key = JournalName.provisioning(origin: origin).key
        _ = try await client.connection().pipeline([
            RedisCommand(
                "XADD", key, "\(position)-1", "op", "put", "tenant", "101", "type", "person", "key", id, "data",
                #"{"dbid":"\#(id)","user_name":"\#(name)"}"#),
            RedisCommand(
                "XADD", key, "\(position)-2", "op", "commit", "count", "1", "end", "1", "xid", "1", "time", "1"),
        ]).map { try $0.get() }
    }

    /// A journal begins with a snapshot, here of nothing.
    private func begin(_ client: RedisClient) async throws {
        let key = JournalName.provisioning(origin: "eu-west").key
        _ = try await client.connection().pipeline([
            RedisCommand("XADD", key, "5-1", "op", "begin-snapshot"),
            RedisCommand(
                "XADD", key, "5-2", "op", "end-snapshot", "count", "1", "end", "1", "xid", "0", "time", "1"),
        ]).map { try $0.get() }
    }

    private func ring(_ tenant: String, _ call: String, _ client: RedisClient) async throws {
        _ = try await client.connection().send(
            RedisCommand(
                "XADD", JournalName.voice(tenant: tenant, origin: "us-east").key, "*", "event", "EventRinging", "key",
                call, "data", #"{"ThisDN":"1","ConnID":"\#(call)"}"#))
    }

    /// Waits until the command answers this text.
    private func wait(_ words: [String], for text: String, _ client: RedisClient) async throws {
        try await wait("\(words) becoming \(text)") {
            let reply = try? await client.connection().send(RedisCommand(words: words, runs: []))
            return reply?.description == text
        }
    }

    /// Ends a session of the projection: kills the connection of one of its readers while that waits for entries, as the
    /// same step shows. A connection that is lost while nothing is asked is opened again, and no session ends.
    private func cut(_ reader: String, _ client: RedisClient) async throws {
        let connection = try await client.connection()
        try await wait("a cut of \(reader)") {
            guard let list = try? await connection.send(RedisCommand("CLIENT", "LIST", "TYPE", "normal")).string,
                let line = list.split(separator: "\n").first(where: { $0.contains("name=regionsync-\(reader) ") }),
                let id = line.split(separator: " ").first?.split(separator: "=").last
            else { return false }
            let answers = await connection.pipeline([
                RedisCommand("MULTI"), RedisCommand("CLIENT", "LIST", "ID", "\(id)"),
                RedisCommand("CLIENT", "KILL", "ID", "\(id)"), RedisCommand("EXEC"),
            ])
            let seen = (try? answers.last?.get())?.elements.compactMap(\.string) ?? []
            return seen.first?.contains(" flags=b ") == true
        }
    }

    private func wait(_ what: String, until isTrue: () async -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if await isTrue() { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("\(what) did not happen")
    }

    @Test("Follows provisioning and the voice of tenants as they appear, and stops")
    func follows() async throws {
        try await withProjector { _, client, states, metrics in
            try await begin(client)
            try await put(10, "5", "anna", client)
            try await wait(["HGET", "cfg:{101}:person:by:user_name", "anna"], for: "\"5\"", client)
            try await wait(["HGET", "rs:{_}:projection", "provisioning"], for: "\"10\"", client)
            try await ring("7", "c1", client)
            try await ring("101", "c2", client)
            try await wait(["SMEMBERS", "calls:{7}:active"], for: "[\"c1\"]", client)
            try await wait(["SMEMBERS", "calls:{101}:active"], for: "[\"c2\"]", client)
            // The server knows before the worker has its answer.
            try await wait("states and counts") {
                states.state(of: "projection provisioning")?.name == "projecting"
                    && states.state(of: "projection voice")?.name == "projecting"
                    && metrics.counter(.projectionApplied).value == 3
                    && metrics.histogram(.commitToVisibleSeconds).snapshot.count == 2
            }
            for topic in ["provisioning", "voice"] {
                try await wait("lag of \(topic)") {
                    metrics.snapshot().number(.projectionLagEntries, [.topic: topic]) == 0
                }
            }
        }
    }

    @Test("What is amiss is counted once, however often the connections are lost before it is in state")
    func countedOnce() async throws {
        try await withProjector { _, client, states, metrics in
            try await begin(client)
            try await put(10, "5", "anna", client)
            try await wait(["HGET", "rs:{_}:projection", "provisioning"], for: "\"10\"", client)
            let key = JournalName.provisioning(origin: "eu-west").key
            let connection = try await client.connection()
            _ = try await connection.send(RedisCommand("XADD", key, "11-1", "hello", "world"))
            for _ in 0..<3 {
                _ = try await connection.send(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
                // It blocks only when it has read what there is.
                try await wait("a reader") {
                    let clients = try? await connection.send(RedisCommand("CLIENT", "LIST", "TYPE", "normal")).string
                    return clients?.split(separator: "\n").contains {
                        $0.contains("name=regionsync-provisioning ") && $0.contains("flags=b ")
                    } == true
                }
            }
            _ = try await connection.send(
                RedisCommand("XADD", key, "11-2", "op", "commit", "count", "9", "end", "1", "xid", "1", "time", "1"))
            try await wait(["HGET", "rs:{_}:projection", "provisioning"], for: "\"11\"", client)
            try await wait("its state") {
                states.state(of: "projection provisioning")?.reason
                    == "1 transactions with missing entries, 1 entries unreadable"
            }
            #expect(metrics.counter(.projectionUnreadable).value == 1)
        }
    }

    @Test("What was amiss with the journals is known beyond a restart, and said until it is found to be over")
    func remembersInexactness() async throws {
        try await withProjector { _, client, states, _ in
            try await begin(client)
            try await put(10, "5", "anna", client)
            try await wait("its state") { states.state(of: "projection provisioning")?.name == "projecting" }
            // What it writes of the transaction says that nothing is amiss.
            try await wait(["HGET", "rs:{_}:projection", "provisioning"], for: "\"10\"", client)
            let connection = try await client.connection()
            _ = try await connection.send(
                RedisCommand("HSET", "rs:{_}:projection", "inexact", "late:2:7-1 unreadable:1:9-1"))
            try await cut("provisioning", client)
            try await wait("its state") {
                states.state(of: "projection provisioning")?.reason == "1 entries unreadable, 2 transactions too late"
            }
            _ = try await connection.send(RedisCommand("HDEL", "rs:{_}:projection", "inexact"))
            try await wait("its end") { states.state(of: "projection provisioning")?.name == "projecting" }
        }
    }

    @Test("Loads its functions again where they were lost")
    func functionsLost() async throws {
        try await withProjector { _, client, _, _ in
            try await put(10, "5", "anna", client)
            try await wait(["HGET", "cfg:{101}:person:by:user_name", "anna"], for: "\"5\"", client)
            _ = try await client.connection().send(RedisCommand("FUNCTION", "FLUSH"))
            try await put(11, "5", "berta", client)
            try await ring("7", "c1", client)
            try await wait(["HGETALL", "cfg:{101}:person:by:user_name"], for: "[\"berta\", \"5\"]", client)
            try await wait(["SMEMBERS", "calls:{7}:active"], for: "[\"c1\"]", client)
        }
    }

    @Test("Goes on where the server's state is after the server crashed and came back")
    func restarted() async throws {
        try await withProjector(settings: ["appendonly yes", "appendfsync always"]) { server, client, states, _ in
            try await put(10, "5", "anna", client)
            try await ring("7", "c1", client)
            try await wait(["HGET", "cfg:{101}:person:by:user_name", "anna"], for: "\"5\"", client)
            await server.kill()
            try await wait("its waiting") { states.state(of: "projection provisioning")?.name == "waiting" }
            try await server.start()
            try await put(11, "6", "berta", client)
            try await ring("7", "c2", client)
            try await wait(["HGET", "cfg:{101}:person:by:user_name", "berta"], for: "\"6\"", client)
            try await wait(["SCARD", "calls:{7}:active"], for: "2", client)
            try await wait(["HGET", "rs:{101}:projection", "provisioning"], for: "\"11\"", client)
        }
    }

    @Test(
        "A key of calls or cursors that somebody made something else stops nobody, and is written anew",
        arguments: ["call:{7}:c2", "calls:{7}:active", "rs:{7}:superseded", "rs:{7}:projection"])
    func foreignKey(key: String) async throws {
        try await withProjector { _, client, _, metrics in
            let connection = try await client.connection()
            _ = try await connection.send(RedisCommand("SADD", tenantsKey, "101"))
            try await ring("7", "c1", client)
            try await wait(["SISMEMBER", "calls:{7}:active", "c1"], for: "1", client)
            _ = try await connection.send(RedisCommand("SET", key, "x"))
            // Some of them are read only when a session begins.
            try await cut("voice-0", client)
            try await ring("7", "c2", client)
            try await ring("101", "c3", client)
            try await wait(["SISMEMBER", "calls:{101}:active", "c3"], for: "1", client)
            try await wait(["SISMEMBER", "calls:{7}:active", "c2"], for: "1", client)
            try await wait(["HGET", "call:{7}:c2", "ConnID"], for: "\"c2\"", client)
            try await wait("its count") { metrics.counter(.projectionReplaced).value == 1 }
        }
    }

    @Test("A voice journal's key that is none is left out and named; others go on, and so does it when it is one again")
    func strayVoice() async throws {
        try await withProjector { _, client, states, _ in
            let connection = try await client.connection()
            _ = try await connection.send(RedisCommand("SADD", tenantsKey, "101"))
            // Nothing is missing of what the peer has.
            for tenant in ["7", "101"] {
                let meta = JournalName.voice(tenant: tenant, origin: "eu-west").metaKey
                let gap = CopyGap(missed: 0, through: .zero)
                _ = try await connection.send(
                    RedisCommand("HSET", meta, CopyGap.field(in: "us-east"), gap.description))
            }
            try await ring("7", "c1", client)
            try await wait(["SISMEMBER", "calls:{7}:active", "c1"], for: "1", client)
            let journal = JournalName.voice(tenant: "7", origin: "us-east")
            _ = try await connection.send(RedisCommand("SET", journal.key, "x"))
            let found = "first \(journal.key), which is a string"
            try await wait("its name") {
                states.state(of: "projection voice journals")?.reason?.contains(found) == true
            }
            try await ring("101", "c2", client)
            try await wait(["SISMEMBER", "calls:{101}:active", "c2"], for: "1", client)
            try await wait("it projects") { states.state(of: "projection voice")?.name == "projecting" }
            _ = try await connection.send(RedisCommand("DEL", journal.key))
            try await ring("7", "c3", client)
            try await wait(["SISMEMBER", "calls:{7}:active", "c3"], for: "1", client)
            try await wait("its end") { states.state(of: "projection voice journals") == nil }
        }
    }

    @Test("A provisioning or control journal's key that is none is left out and named; the others go on")
    func strayProvisioning() async throws {
        try await withProjector { _, client, states, _ in
            let connection = try await client.connection()
            try await begin(client)
            try await put(10, "5", "anna", client)
            try await wait(["HGET", "rs:{_}:projection", "provisioning"], for: "\"10\"", client)
            let key = JournalName.provisioning(origin: "us-east").key
            _ = try await connection.send(RedisCommand("SET", key, "x"))
            _ = try await connection.send(RedisCommand("SET", JournalName.control(origin: "eu-west").key, "x"))
            try await put(11, "6", "berta", client)
            try await wait(["HGET", "rs:{_}:projection", "provisioning"], for: "\"11\"", client)
            for component in ["projection provisioning journals", "projection control journals"] {
                try await wait(component) { states.state(of: component)?.name == "left-out" }
            }
            #expect(states.state(of: "projection provisioning")?.health != .waiting)
            _ = try await connection.send(RedisCommand("DEL", key))
            try await put(12, "7", "carla", client, origin: "us-east")
            try await wait(["HGET", "rs:{_}:projection", "provisioning"], for: "\"12\"", client)
            try await wait("its end") { states.state(of: "projection provisioning journals") == nil }
        }
    }

    @Test(
        "A journal whose cursor a fork turned back goes on there, at lower IDs, also beside a tenant that is never quiet",
        arguments: [false, true])
    func turnedBack(hasBusyNeighbour: Bool) async throws {
        try await withProjector { _, client, _, _ in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                if hasBusyNeighbour {
                    _ = try await client.connection().send(RedisCommand("SADD", tenantsKey, "101"))
                    tasks.addTask {
                        while !Task.isCancelled {
                            try await ring("101", "n", client)
                            try await Task.sleep(for: .milliseconds(50))
                        }
                    }
                    try await wait(["SCARD", "calls:{101}:active"], for: "1", client)
                }
                let journal = JournalName.voice(tenant: "7", origin: "us-east")
                try await ring("7", "c1", client)
                try await wait(["SMEMBERS", "calls:{7}:active"], for: "[\"c1\"]", client)
                let commands = [
                    RedisCommand("MULTI"), RedisCommand("DEL", journal.key),
                    RedisCommand("HDEL", "rs:{7}:projection", "voice:us-east"),
                    RedisCommand(
                        "XADD", journal.key, "5-1", "event", "EventRinging", "key", "c2", "data",
                        #"{"ThisDN":"1","ConnID":"c2"}"#), RedisCommand("EXEC"),
                ]
                for result in try await client.connection().pipeline(commands) { _ = try result.get() }
                try await wait(["SCARD", "calls:{7}:active"], for: "2", client)
                try await wait(["HGET", "rs:{7}:projection", "voice:us-east"], for: "\"5-1\"", client)
                tasks.cancelAll()
            }
        }
    }
}
