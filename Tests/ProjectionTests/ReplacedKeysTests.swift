import Journal
import NIOCore
import Projection
import Testing

@Suite("Keys of a cache under which somebody keeps something else", .serialized)
struct ReplacedKeysTests {
    private static let journal = JournalName.provisioning(origin: "us-east")
    private static let layouts = IndexLayouts(Script.catalog)

    /// A cache with persons 7, alice in A, and 8, bob in A.
    private func withCache(_ body: (PlainRedis) async throws -> Void) async throws {
        try await withRedis { redis in
            let persons = [
                Change.put(Script.person("1", 7), ["user_name": "alice", "place": "A"]),
                Change.put(Script.person("1", 8), ["user_name": "bob", "place": "A"]),
            ]
            try Script.write(.init(position: 10, changes: persons), to: Self.journal, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            try await body(redis)
        }
    }

    private func inspect(_ redis: PlainRedis) throws -> [String?] {
        try redis.call(RepairCalls.inspect(tenant: "1", type: "person", layouts: Self.layouts)).elements.map(\.text)
    }

    /// Writes both persons anew, as a rebuild does.
    private func rebuild(_ redis: PlainRedis, _ rows: [(key: String, row: [String: String]?)], mark: String) throws {
        let keys = rows.map(\.key)
        try redis.call(RepairCalls.watch(keys, tenant: "1", type: "person", token: "t"))
        let (mend, _) = RepairCalls.mend(
            rows, tenant: "1", type: "person", token: "t", version: Position(number: 20), layouts: Self.layouts)
        #expect(try redis.call(mend).elements.allSatisfy { $0 == .integer(1) })
        for key in keys {
            let bucket = CacheImage.bucket(of: key)
            let old = try redis("HMGET", "rs:{1}:digest:person", "\(bucket):n", "\(bucket):d")
            try redis.call(
                RepairCalls.recount(
                    bucket: bucket, keys: keys.filter { CacheImage.bucket(of: $0) == bucket }, tenant: "1",
                    type: "person", count: old.elements[0].text ?? "0", sum: old.elements[1].text ?? "0"))
        }
        #expect(try redis.call(RepairCalls.rebuilt(tenant: "1", type: "person", mark: mark)) == .integer(1))
    }

    @Test(
        "are replaced with the next change, named, and the type is marked; writing it anew makes the cache whole",
        arguments: [
            ("cfg:{1}:person:7", "cfg:{1}:person:7"), ("cfg:{1}:person", "cfg:{1}:person"),
            ("cfg:{1}:person:by:user_name", "cfg:{1}:person:by:user_name"),
            ("cfg:{1}:person:by:place:A", "cfg:{1}:person:by:place:*"),
            ("rs:{1}:digest:person", "rs:{1}:digest:person"), ("rs:{1}:watch:person", "rs:{1}:watch:person"),
        ])
    func replaced(key: String, name: String) async throws {
        try await withCache { redis in
            #expect(try inspect(redis) == [nil])
            try redis("SET", key, "oops")
            let carla = Change.put(Script.person("1", 7), ["user_name": "alice", "place": "A", "note": "n"])
            try Script.write(.init(position: 11, changes: [carla]), to: Self.journal, redis)
            // What is not linked anew is seen by another value.
            let moved = Change.put(Script.person("1", 8), ["user_name": "bob", "place": "B"])
            try Script.write(.init(position: 12, changes: [moved]), to: Self.journal, redis)
            let result = try await ProvisioningRun(redis: redis).run()
            #expect(!result.wasKilled)
            #expect(result.replaced == ["\(name) was a string"])
            #expect(try redis("HGET", "rs:{1}:projection", "provisioning").text == "12")
            #expect(try redis("HGET", "cfg:{1}:person:7", "note").text == "n")
            let mark = try #require(try inspect(redis)[0])
            let alice = ["user_name": "alice", "place": "A", "note": "n"]
            try rebuild(redis, [("7", alice), ("8", ["user_name": "bob", "place": "B"])], mark: mark)
            #expect(try inspect(redis) == [nil])
            let image = try CacheImage(redis, tenants: ["1"])
            #expect(image.problems == [])
            #expect(
                image.objects == [
                    Script.person("1", 7): alice, Script.person("1", 8): ["user_name": "bob", "place": "B"],
                ])
        }
    }

    @Test("an object that is deleted, patched or cleared away goes, whatever its key holds")
    func changes() async throws {
        let changes: [([Change], problems: [ProvisioningFold.Problem])] = [
            ([.delete(Script.person("1", 7))], []),
            ([.patch(Script.person("1", 7), ["place": "C"])], [.patchWithoutObject]),
            ([.truncate("person")], []),
        ]
        for (changes, problems) in changes {
            try await withCache { redis in
                try redis("SET", "cfg:{1}:person:7", "oops")
                try Script.write(.init(position: 11, changes: changes), to: Self.journal, redis)
                let result = try await ProvisioningRun(redis: redis).run()
                #expect(!result.wasKilled)
                #expect(result.problems == problems)
                #expect(result.replaced == ["cfg:{1}:person:7 was a string"], "\(changes)")
                #expect(try redis("EXISTS", "cfg:{1}:person:7") == .integer(0))
                #expect(try inspect(redis)[0] != nil)
            }
        }
    }

    @Test("a counter or a digest that is no number keeps nothing from being projected")
    func numbers() async throws {
        try await withCache { redis in
            try redis("HSET", "rs:{1}:digest:person", "\(CacheImage.bucket(of: "7")):d", "oops")
            try redis("HSET", "cfg:{1}:person:8", "_d", "oops")
            let changes = [Change.put(Script.person("1", 7), ["user_name": "al"]), .delete(Script.person("1", 8))]
            try Script.write(.init(position: 11, changes: changes), to: Self.journal, redis)
            let result = try await ProvisioningRun(redis: redis).run()
            #expect(!result.wasKilled)
            #expect(result.replaced == ["rs:{1}:digest:person \(CacheImage.bucket(of: "7")):d was no counter"])
            #expect(try redis.members("cfg:{1}:person") == ["7"])
        }
    }

    @Test("the fold marks the cache, but for one that misses more, and a mark that was set since keeps a rebuild open")
    func marks() async throws {
        func fold(_ staleness: String?) -> ProvisioningFold {
            ProvisioningFold(
                journals: [Self.journal], layouts: Self.layouts, trailing: Position(number: 10), cursors: [:],
                staleness: staleness.flatMap { Staleness($0) })
        }
        for (before, after) in [
            (nil, "replaced-keys:10"), ("unverified:5", "replaced-keys:10"), ("missed-changes:5", "missed-changes:5"),
            ("missing-beginning:5", "replaced-keys:10"),
        ] {
            var marked = fold(before)
            marked.keysReplaced()
            #expect(marked.staleness?.description == after)
            #expect(marked.staleness.flatMap { Staleness("\($0)") } == marked.staleness)
        }
        try await withCache { redis in
            try redis("SET", "cfg:{1}:person", "oops")
            let mark = try #require(try inspect(redis)[0])
            try redis("SET", "cfg:{1}:person", "oops")
            #expect(try inspect(redis)[0] != mark)
            #expect(
                try redis.call(RepairCalls.rebuilt(tenant: "1", type: "person", mark: mark)) == .integer(0))
        }
    }
}
