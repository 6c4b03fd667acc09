import Journal
import NIOCore
import Projection
import RESP
import Synchronization
import Testing

@Suite("Repairs of a cache", .serialized)
struct RepairFunctionsTests {
    private static let journal = JournalName.provisioning(origin: "us-east")
    private let layouts = IndexLayouts(Script.catalog)
    private let alice: [String: String] = ["user_name": "alice", "place": "A"]

    /// A cache with persons 7, alice in A, and 8, bob in B.
    private func withCache(_ body: (PlainRedis) async throws -> Void) async throws {
        try await withRedis { redis in
            let persons = [
                Change.put(Script.person("1", 7), ["user_name": "alice", "place": "A"]),
                Change.put(Script.person("1", 8), ["user_name": "bob", "place": "B"]),
            ]
            try Script.write(.init(position: 10, changes: persons), to: Self.journal, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            try await body(redis)
        }
    }

    private func watch(_ keys: [String], _ redis: PlainRedis, token: String = "t") throws -> [String?] {
        try redis.call(RepairCalls.watch(keys, tenant: "1", type: "person", token: token)).elements.map(\.text)
    }

    private func mend(
        _ objects: [(key: String, row: [String: String]?)], _ redis: PlainRedis, token: String = "t"
    ) throws -> [StoreReply] {
        let (command, _) = RepairCalls.mend(
            objects, tenant: "1", type: "person", token: token, version: Position(number: 20), layouts: layouts)
        return try redis.call(command).elements
    }

    private func project(_ position: UInt64, _ changes: [Change], _ redis: PlainRedis) async throws {
        try Script.write(.init(position: position, changes: changes), to: Self.journal, redis)
        _ = try await ProvisioningRun(redis: redis).run()
    }

    @Test("an object that was changed, deleted, added, unlisted or unindexed by hand is made what it should be")
    func mends() async throws {
        let faults: [[[String]]] = [
            [["HSET", "cfg:{1}:person:7", "user_name", "eve", "place", "C"]],
            [["HSET", "cfg:{1}:person:7", "_d", "nonsense"]], [["HDEL", "cfg:{1}:person:7", "_d", "_v"]],
            [["DEL", "cfg:{1}:person:7"]], [["DEL", "cfg:{1}:person:7"], ["SET", "cfg:{1}:person:7", "x"]],
            [["SREM", "cfg:{1}:person", "7"]], [["HDEL", "cfg:{1}:person:by:user_name", "alice"]],
            [["HSET", "cfg:{1}:person:by:user_name", "alice", "8"]], [["SREM", "cfg:{1}:person:by:place:A", "7"]],
            [["HINCRBY", "rs:{1}:digest:person", "\(Self.bucket7):n", "4"]],
        ]
        for fault in faults {
            try await withCache { redis in
                for command in fault { try redis.call(command) }
                _ = try watch(["7"], redis)
                #expect(try mend([("7", alice)], redis) == [.integer(1)])
                try recount(["7"], redis)
                let image = try CacheImage(redis, tenants: ["1"])
                #expect(image.problems == [], "\(fault)")
                #expect(image.objects[Script.person("1", 7)] == alice)
                #expect(try redis("EXISTS", "rs:{1}:watch:person") == .integer(0))
            }
        }
    }

    private static let bucket7 = CacheImage.bucket(of: "7")

    private func recount(_ keys: [String], _ redis: PlainRedis) throws {
        let field = "\(Self.bucket7)"
        let old = try redis("HMGET", "rs:{1}:digest:person", field + ":n", field + ":d").elements.map { $0.text ?? "0" }
        let command = RepairCalls.recount(
            bucket: Self.bucket7, keys: keys, tenant: "1", type: "person", count: old[0], sum: old[1])
        #expect(try redis.call(command).elements.count == 2)
        let late = RepairCalls.recount(
            bucket: Self.bucket7, keys: [], tenant: "1", type: "person", count: "77", sum: old[1])
        #expect(try redis.call(late) == .null)
    }

    @Test("an object that PostgreSQL does not have goes, with all that names it and its quarantine")
    func removes() async throws {
        try await withCache { redis in
            try redis("SADD", "cfg:{1}:person", "ghost")
            try redis("HSET", "cfg:{1}:person:added", "user_name", "eve", "place", "A")
            try redis("HSET", "cfg:{1}:person:by:user_name", "eve", "added")
            try redis("SADD", "rs:{1}:quarantine", "person:ghost")
            #expect(try watch(["8", "ghost", "added"], redis).map { $0 == nil } == [false, true, true])
            #expect(try mend([("8", nil), ("ghost", nil), ("added", nil)], redis).allSatisfy { $0 == .integer(1) })
            let image = try CacheImage(redis, tenants: ["1"])
            #expect(image.problems == [])
            #expect(Set(image.objects.keys) == [Script.person("1", 7)])
            #expect(try redis("KEYS", "cfg:{1}:person:added").elements.isEmpty)
            #expect(try redis("EXISTS", "rs:{1}:quarantine") == .integer(0))
        }
    }

    @Test("whatever is projected onto an object ends its watch: also what comes and goes again, and a truncation")
    func watches() async throws {
        let events: [[[Change]]] = [
            [[.put(Script.person("1", 7), ["user_name": "al"])]], [[.delete(Script.person("1", 7))]],
            [[.put(Script.person("1", 9), ["user_name": "new"])], [.delete(Script.person("1", 9))]],
            [[.truncate("person")]],
        ]
        for event in events {
            try await withCache { redis in
                _ = try watch(["7", "9"], redis)
                for (offset, changes) in event.enumerated() { try await project(11 + UInt64(offset), changes, redis) }
                let before = try CacheImage(redis, tenants: ["1"]).objects
                let answers = try mend([("7", alice), ("9", ["user_name": "old"])], redis)
                #expect(answers.contains(.integer(0)))
                let touched = event.joined().contains { change in
                    if case .put(let name, _) = change { name.key == "9" } else { false }
                }
                #expect(answers == (touched ? [.integer(1), .integer(0)] : [.integer(0), .integer(1)]))
                let after = try CacheImage(redis, tenants: ["1"])
                #expect(after.problems == [])
                let spared = Script.person("1", touched ? 9 : 7)
                #expect(after.objects[spared] == before[spared])
            }
        }
    }

    @Test("another's watch is no permission, and a released one neither")
    func tokens() async throws {
        try await withCache { redis in
            _ = try watch(["7", "8"], redis)
            _ = try watch(["7"], redis, token: "other")
            #expect(try mend([("7", alice), ("8", nil)], redis) == [.integer(0), .integer(1)])
            let release = RepairCalls.release(["7", "8"], tenant: "1", type: "person", token: "other")
            #expect(try redis.call(release).elements == [.integer(1), .integer(0)])
            #expect(try mend([("7", nil)], redis, token: "other") == [.integer(0)])
        }
    }

    @Test("what is projected later replaces what was put right, and a snapshot deletes it if it is older")
    func later() async throws {
        try await withCache { redis in
            _ = try watch(["7", "9"], redis)
            _ = try mend([("7", ["user_name": "repaired"]), ("9", ["user_name": "back"])], redis)
            #expect(try redis("HGET", "cfg:{1}:person:7", "_v").text == "20")
            try await project(30, [.patch(Script.person("1", 7), ["place": "C"])], redis)
            #expect(try redis.hash("cfg:{1}:person:7")["user_name"] == "repaired")
            try Script.write(
                .init(position: 40, changes: [.put(Script.person("1", 7), ["user_name": "x"])], isSnapshot: true),
                to: Self.journal, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            #expect(try redis.members("cfg:{1}:person") == ["7"])
        }
    }

    @Test("an index entry goes only if its object has another value")
    func unindexes() async throws {
        try await withCache { redis in
            try redis("HSET", "cfg:{1}:person:by:user_name", "old", "7")
            try redis("SADD", "cfg:{1}:person:by:place:B", "7")
            for (field, value, unique, id, gone) in [
                ("user_name", "old", true, "7", Int64(1)), ("user_name", "alice", true, "7", 0),
                ("user_name", "bob", true, "7", 0), ("place", "B", false, "7", 1), ("place", "B", false, "8", 0),
            ] {
                let command = RepairCalls.unindex(
                    value: ByteBuffer(string: value), key: id, field: field, isUnique: unique, tenant: "1",
                    type: "person")
                #expect(try redis.call(command) == .integer(gone), "\(field) \(value) \(id)")
            }
            #expect(try CacheImage(redis, tenants: ["1"]).problems == [])
        }
    }

    @Test("an ID that would be an index's key is left alone")
    func indexKey() async throws {
        try await withCache { redis in
            let (_, places) = RepairCalls.mend(
                [("by:user_name", nil), ("8", nil)], tenant: "1", type: "person", token: "t",
                version: Position(number: 20), layouts: layouts)
            #expect(places == [1])
        }
    }

    /// Does something once, behind the first commands that are sent.
    private final class Interrupted: ProjectionStore {
        let redis: PlainRedis
        private let event: Mutex<(@Sendable () throws -> Void)?>

        init(redis: PlainRedis, _ event: @escaping @Sendable () throws -> Void) {
            self.redis = redis
            self.event = Mutex(event)
        }

        func send(_ commands: [RedisCommand]) async -> SentCommands {
            let results = await redis.send(commands).replies()
            try? event.withLock { $0.take() }?()
            return SentCommands { results }
        }
    }

    @Test("an object that a patch is about to build upon is not put right in between")
    func patched() async throws {
        try await withCache { redis in
            let name = Script.person("1", 7)
            try redis("HSET", "cfg:{1}:person:7", "place", "C")
            _ = try watch(["7"], redis)
            let mended = Mutex<[StoreReply]>([])
            let (command, _) = RepairCalls.mend(
                [("7", alice)], tenant: "1", type: "person", token: "t", version: Position(number: 20), layouts: layouts
            )
            let store = Interrupted(redis: redis) {
                let reply = try redis.call(command)
                mended.withLock { $0 = Array(reply.elements) }
            }
            try Script.write(
                .init(position: 11, changes: [.patch(name, ["user_name": "eve"])]), to: Self.journal, redis)
            var fold = ProvisioningFold(
                journals: [Self.journal], layouts: layouts, trailing: Position(number: 10),
                cursors: ["1": TenantCursor(Position(number: 10))])
            var performer = ProvisioningPerformer(store: store)
            for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
            while try await performer.perform(&fold, trailing: Position(number: 10), noted: { _, _ in }) {}
            for result in await redis.send(performer.take()).replies() { _ = try result.get() }
            #expect(mended.withLock { $0 } == [.integer(0)])
            #expect(try redis("HGET", "cfg:{1}:person:7", "user_name").text == "eve")
        }
    }
}
