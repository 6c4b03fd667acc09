import Journal
import Projection
import RESP
import ServerFixtures
import Testing

private let east = JournalName.provisioning(origin: "us-east")
private let west = JournalName.provisioning(origin: "eu-west")

/// Starts a server, gives it to the test and throws it away.
func withRedis(_ body: (PlainRedis) async throws -> Void) async throws {
    let server = try await RedisServer.start()
    do {
        try await body(try PlainRedis(port: server.port))
    } catch {
        await server.discard()
        throw error
    }
    await server.discard()
}

@Suite("Provisioning journals become caches", .serialized)
struct ProvisioningFoldTests {
    private let alice: [String: String?] = [
        "dbid": "7", "user_name": "alice", "place": "A", "email": nil, "note": "", "text": "a \"b\"\n\\é",
    ]

    @Test("NULL columns are absent, empty ones are not, and versions exceed 2^53")
    func objects() async throws {
        try await withRedis { redis in
            let position: UInt64 = 3 << 52 + 9_007_199_254_740_993
            try Script.write(
                .init(position: position, changes: [.put(Script.person("101", 7), alice)]), to: east, redis)
            let result = try await ProvisioningRun(redis: redis).run()
            #expect(result.counts.transactions == 1)
            let hash = try redis.hash("cfg:{101}:person:7")
            #expect(hash["email"] == nil)
            #expect(hash["note"] == "")
            #expect(hash["text"] == "a \"b\"\n\\é")
            #expect(hash["_v"] == "\(position)")
            #expect(try redis.hash("rs:{101}:projection") == ["provisioning": "\(position)"])
            #expect(
                try redis.hash("rs:{_}:projection") == [
                    "provisioning": "\(position)", "stale": "missing-beginning:\(position)",
                ])
            #expect(try redis.members("rs:{_}:tenants") == ["101"])
            #expect(try redis.hash("cfg:{101}:person:by:user_name") == ["alice": "7"])
            #expect(try redis.members("cfg:{101}:person:by:place:A") == ["7"])
            #expect(try CacheImage(redis, tenants: ["101"]).problems == [])
        }
    }

    @Test("Columns dropped or set to NULL leave the object, and its indexes follow")
    func replacement() async throws {
        try await withRedis { redis in
            let name = Script.person("101", 7)
            try Script.write(.init(position: 10, changes: [.put(name, alice)]), to: east, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            try Script.write(
                .init(position: 11, changes: [.put(name, ["dbid": "7", "user_name": "al", "place": nil])]), to: east,
                redis)
            _ = try await ProvisioningRun(redis: redis).run()
            #expect(try Set(redis.hash("cfg:{101}:person:7").keys) == ["dbid", "user_name", "_v", "_d"])
            #expect(try redis.hash("cfg:{101}:person:by:user_name") == ["al": "7"])
            #expect(try redis("EXISTS", "cfg:{101}:person:by:place:A") == .integer(0))
            #expect(try CacheImage(redis, tenants: ["101"]).problems == [])
        }
    }

    @Test("Values of a unique index change hands inside one transaction, in any order")
    func indexMoves() async throws {
        for order in [[7, 8, 9], [9, 8, 7], [8, 7, 9]] {
            try await withRedis { redis in
                func put(_ id: Int, _ name: String) -> Change { .put(Script.person("1", id), ["user_name": name]) }
                try Script.write(
                    .init(position: 10, changes: [put(7, "a"), put(8, "b"), put(9, "c")]), to: east, redis)
                let moved = [7: put(7, "b"), 8: put(8, "c"), 9: put(9, "a")]
                try Script.write(.init(position: 11, changes: order.compactMap { moved[$0] }), to: east, redis)
                _ = try await ProvisioningRun(redis: redis).run()
                #expect(try redis.hash("cfg:{1}:person:by:user_name") == ["b": "7", "c": "8", "a": "9"])
                // One call a transaction gives the same as both in one.
                try Script.write(
                    .init(position: 12, changes: [.delete(Script.person("1", 7)), put(10, "b"), put(8, "x")]), to: east,
                    redis)
                _ = try await ProvisioningRun(redis: redis).run()
                #expect(try redis.hash("cfg:{1}:person:by:user_name") == ["b": "10", "x": "8", "a": "9"])
                #expect(try CacheImage(redis, tenants: ["1"]).problems == [])
            }
        }
    }

    @Test("A transaction shows when its commit is there; one that its journal never closes never does")
    func transactions() async throws {
        try await withRedis { redis in
            let open = Script.Transaction(
                position: 10, changes: [.put(Script.person("1", 7), alice)], isClosed: false)
            try Script.write(open, to: east, redis)
            var result = try await ProvisioningRun(redis: redis).run()
            #expect(result.counts.transactions == 0)
            #expect(try redis("EXISTS", "cfg:{1}:person:7") == .integer(0))
            try Script.write(.init(position: 11, changes: [.put(Script.person("1", 8), alice)]), to: east, redis)
            result = try await ProvisioningRun(redis: redis).run()
            #expect(result.counts.abandoned == 1)
            #expect(result.counts.transactions == 1)
            #expect(try redis.members("cfg:{1}:person") == ["8"])
        }
    }

    @Test("Journals of several regions are folded by position; what comes late is passed over and counted")
    func severalRegions() async throws {
        try await withRedis { redis in
            func put(_ value: String) -> [Change] { [.put(Script.person("1", 7), ["user_name": value])] }
            try Script.write(.init(position: 20, changes: put("second")), to: west, redis)
            try Script.write(.init(position: 10, changes: put("first")), to: east, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            #expect(try redis.hash("cfg:{1}:person:7")["user_name"] == "second")
            try Script.write(.init(position: 30, changes: put("third")), to: west, redis)
            try Script.write(.init(position: 25, changes: put("late")), to: east, redis)
            try redis("HSET", "rs:{_}:projection", "provisioning", "20")
            let result = try await ProvisioningRun(redis: redis).run()
            #expect(result.counts.transactions == 2)
            #expect(try redis.hash("cfg:{1}:person:7")["user_name"] == "third")
        }
    }

    @Test("Patches keep absent columns, also of an object whose key changed; without an object they are quarantined")
    func patches() async throws {
        try await withRedis { redis in
            let (old, new, absent) = (Script.person("1", 7), Script.person("1", 8), Script.person("1", 9))
            try Script.write(
                .init(position: 10, changes: [.put(old, ["user_name": "a", "big": "toast", "x": "1"])]), to: east, redis
            )
            try Script.write(
                .init(position: 11, changes: [.patch(old, ["user_name": "b", "x": nil]), .patch(absent, ["x": "1"])]),
                to: east, redis)
            let first = try await ProvisioningRun(redis: redis).run()
            #expect(first.problems == [.patchWithoutObject])
            #expect(try redis.members("rs:{1}:quarantine") == ["person:9"])
            #expect(try CacheImage(redis, tenants: ["1"]).objects == [old: ["user_name": "b", "big": "toast"]])
            try Script.write(
                .init(position: 12, changes: [.patch(new, ["user_name": "c"], from: old), .delete(old)]), to: east,
                redis)
            _ = try await ProvisioningRun(redis: redis).run()
            let image = try CacheImage(redis, tenants: ["1"])
            #expect(image.objects == [new: ["user_name": "c", "big": "toast"]])
            #expect(image.problems == [])
        }
    }

    @Test("A part of a large transaction that is refused is not passed over by those behind it")
    func refusedPart() async throws {
        try await withRedis { redis in
            var run = ProvisioningRun(redis: redis)
            run.limits.wholeObjects = 10
            run.limits.chunkObjects = 5
            let people: [Change] = (1...40).map { .put(Script.person("1", $0), ["user_name": "u\($0)"]) }
            try Script.write(.init(position: 10, changes: people), to: east, redis)
            for refused in 2...9 {
                try redis("DEL", ProjectionKeys.cursors(tenant: "1"), ProjectionKeys.trailing)
                run.refused = refused
                #expect(try await run.run().wasKilled)
                #expect(try redis("HGET", ProjectionKeys.cursors(tenant: "1"), "provisioning") == .null)
            }
            run.refused = nil
            #expect(try await run.run().counts.transactions == 1)
            let image = try CacheImage(redis, tenants: ["1"])
            #expect(image.objects.count == 40 && image.problems == [])
        }
    }

    @Test("A part that is applied again takes no value of a unique index from whoever holds it by now")
    func repeatedPart() async throws {
        try await withRedis { redis in
            func put(_ id: Int, _ name: String) -> Change { .put(Script.person("1", id), ["user_name": name]) }
            var changes = [put(1, "a"), put(1, "b"), put(1, "c"), put(2, "b")]
            for id in 10..<20 { changes.append(put(id, "n\(id)")) }
            try Script.write(.init(position: 10, changes: changes), to: east, redis)
            var run = ProvisioningRun(redis: redis)
            run.limits.wholeObjects = 1
            run.limits.chunkObjects = 2
            // Killed behind each part in turn: what was done of the transaction is done again.
            for budget in 1...12 {
                run.budget = budget
                _ = try await run.run()
            }
            run.budget = nil
            #expect(try await run.run().wasKilled == false)
            #expect(try redis.hash("cfg:{1}:person:by:user_name")["b"] == "2")
            #expect(try CacheImage(redis, tenants: ["1"]).problems == [])
        }
    }

    @Test("A large transaction whose rest left the journal is given up, and those behind it are applied")
    func cutTransaction() throws {
        var limits = ProvisioningFold.Limits()
        limits.wholeObjects = 4
        limits.chunkObjects = 2
        var fold = ProvisioningFold(
            journals: [east], layouts: IndexLayouts(Script.catalog), trailing: .zero, cursors: [:], limits: limits)
        func read(_ position: UInt64, _ numbers: ClosedRange<UInt64>, behind previous: EntryID, closes: Bool) throws {
            var builder = EntryBatchBuilder(previous: previous)
            for number in numbers {
                let words =
                    closes && number == numbers.upperBound
                    ? ["op", "commit", "count", "\(number - 1)", "end", "1", "xid", "1", "time", "1"]
                    : ["op", "put", "tenant", "1", "type", "person", "key", "\(position)-\(number)", "data", "{}"]
                builder.append(id: EntryID(first: position, second: number), fields: words.count / 2) { strings in
                    for word in words { strings.append(word) }
                }
            }
            try fold.read(JournalRead(east, try #require(builder.batch())))
        }
        func actions() -> [ProvisioningFold.Action] {
            var actions: [ProvisioningFold.Action] = []
            while let action = fold.nextAction() { actions.append(action) }
            return actions
        }
        try read(10, 1...6, behind: EntryID(first: 0, second: .max), closes: false)
        guard case .locate = actions().last else {
            Issue.record("not parked")
            return
        }
        fold.located(east, EntryID(first: 10, second: 41), operation: "commit")
        _ = actions()
        try read(11, 1...2, behind: try #require(fold.wanted.first).last, closes: true)
        let calls = actions().filter { if case .apply = $0 { true } else { false } }
        #expect(!calls.isEmpty)
        #expect(fold.completed == Position(number: 11))
        #expect(fold.counts.incomplete == 1 && fold.counts.transactions == 2)
        #expect(fold.wanted.map(\.last) == [EntryID(first: 11, second: 2)])
    }

    @Test("Rows that no cache can hold are quarantined, tenants that are no numbers are passed over")
    func unholdable() async throws {
        try await withRedis { redis in
            let index = ObjectName(tenant: "1", type: "person", key: "by:user_name")
            let stranger = ObjectName(tenant: "_", type: "person", key: "1")
            let good = Script.person("1", 5)
            try Script.write(
                .init(
                    position: 10,
                    changes: [
                        .put(index, ["user_name": "a"]), .put(Script.person("1", 1), ["_d": "7"]),
                        .put(Script.person("1", 2), ["_v": nil]), .put(stranger, ["user_name": "b"]),
                        .put(good, ["user_name": "c"]),
                    ]), to: east, redis)
            let result = try await ProvisioningRun(redis: redis).run()
            #expect(result.problems == [.keyOfIndex, .unreadableRow, .unreadableRow])
            #expect(result.counts.unreadable == 1)
            let image = try CacheImage(redis, tenants: ["1"])
            #expect(image.objects == [good: ["user_name": "c"]] && image.problems == [])
        }
    }

    @Test(
        "What happens to an object whose key would be that of an index harms no index and stops nothing",
        arguments: [("by:place:A", "A"), ("by:user_name", "_d")])
    func keysOfIndexes(key: String, value: String) async throws {
        try await withRedis { redis in
            let stranger = ObjectName(tenant: "1", type: "person", key: key)
            let (other, heir) = (Script.person("1", 7), Script.person("1", 8))
            let row = ["user_name": value, "place": value]
            let steps: [(changes: [Change], isQuarantined: Bool)] = [
                ([.put(other, row), .put(stranger, ["user_name": "b"])], true),
                ([.patch(stranger, ["user_name": "c"])], true),
                ([.patch(heir, ["user_name": "d"], from: stranger), .delete(stranger)], false),
                ([.put(stranger, ["user_name": "e"]), .patch(stranger, ["user_name": "f"])], true),
                ([.delete(stranger)], false),
            ]
            for (step, position) in zip(steps, UInt64(10)...) {
                try Script.write(.init(position: position, changes: step.changes), to: east, redis)
                #expect(try await !ProvisioningRun(redis: redis).run().wasKilled)
                #expect(try redis.members("rs:{1}:quarantine").contains("person:\(key)") == step.isQuarantined)
            }
            #expect(try redis.members("rs:{1}:quarantine") == ["person:8"])
            let image = try CacheImage(redis, tenants: ["1"])
            #expect(image.objects == [other: row] && image.problems == [])
        }
    }

    @Test("TRUNCATE empties a type in all tenants, and what follows it stays")
    func truncate() async throws {
        try await withRedis { redis in
            let rows: [Change] = (1...700).map { .put(Script.person("\($0 % 3)", $0), ["user_name": "u\($0)"]) }
            let skill = ObjectName(tenant: "1", type: "skill", key: "1")
            try Script.write(.init(position: 10, changes: rows + [.put(skill, ["name": "s"])]), to: east, redis)
            let last = Script.person("2", 5)
            try Script.write(
                .init(
                    position: 11,
                    changes: [.put(Script.person("1", 4), [:]), .truncate("person"), .put(last, ["user_name": "u1"])]),
                to: east, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            let image = try CacheImage(redis, tenants: ["0", "1", "2"])
            #expect(image.objects == [skill: ["name": "s"], last: ["user_name": "u1"]])
            #expect(image.problems == [])
            #expect(try redis("HGET", "rs:{2}:projection", "applying") == .null)
        }
    }

    @Test("What a region that died brings along from an older history changes nothing, and is no reason to worry")
    func olderHistory() async throws {
        try await withRedis { redis in
            let (old, new) = (UInt64(1) << 52, UInt64(2) << 52)
            let name = Script.person("1", 4)
            try Script.write(.init(position: old + 10, changes: [.put(name, ["user_name": "a"])]), to: east, redis)
            try Script.write(
                .init(position: new + 5, changes: [.put(name, ["user_name": "b"])], isSnapshot: true), to: west, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            try Script.write(.init(position: old + 90, changes: [.put(name, ["user_name": "c"])]), to: east, redis)
            let result = try await ProvisioningRun(redis: redis).run()
            #expect(result.counts.late == 0)
            #expect(try CacheImage(redis, tenants: ["1"]).objects == [name: ["user_name": "b"]])
        }
    }

    @Test("A snapshot replaces everything, also in tenants that it does not name")
    func snapshot() async throws {
        try await withRedis { redis in
            let rows: [Change] = (1...20).map { .put(Script.person("\($0 % 3)", $0), ["user_name": "u\($0)"]) }
            try Script.write(.init(position: 10, changes: rows), to: east, redis)
            let kept = Script.person("1", 4)
            try Script.write(
                .init(position: 11, changes: [.put(kept, ["user_name": "u5"])], isSnapshot: true), to: east, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            let image = try CacheImage(redis, tenants: ["0", "1", "2"])
            #expect(image.objects == [kept: ["user_name": "u5"]])
            #expect(image.problems == [])
        }
    }

    @Test("Entries that are none of ours, rows that cannot be read and missing entries are counted")
    func unreadable() async throws {
        try await withRedis { redis in
            try redis("XADD", east.key, "10-1", "hello", "world")
            try redis("XADD", east.key, "10-2", "op", "put", "tenant", "1", "type", "person", "key", "1", "data", "[1]")
            try redis("XADD", east.key, "10-4", "op", "commit", "count", "3", "end", "1", "xid", "1", "time", "1")
            try Script.write(.init(position: 11, changes: [.put(Script.person("1", 8), alice)]), to: east, redis)
            let result = try await ProvisioningRun(redis: redis).run()
            #expect(result.counts.unreadable == 1)
            #expect(result.counts.incomplete == 1)
            #expect(result.problems == [.unreadableRow])
            #expect(try CacheImage(redis, tenants: ["1"]).problems == [])
            #expect(try redis.members("cfg:{1}:person") == ["8"])
        }
    }

    @Test("What a fold before has counted is read again, and not counted again")
    func countedOnce() async throws {
        try await withRedis { redis in
            func commit(_ id: String) throws {
                try redis("XADD", east.key, id, "op", "commit", "count", "5", "end", "1", "xid", "1", "time", "1")
            }
            try redis("XADD", east.key, "10-1", "hello", "world")
            try redis("XADD", east.key, "11-1", "hello", "world")
            try commit("11-2")
            // Killed before anything is in state: the cursors are where they were.
            var run = ProvisioningRun(redis: redis)
            run.budget = 0
            let first = try await run.run()
            #expect(first.wasKilled && first.counts.unreadable == 2 && first.counts.incomplete == 1)
            run.budget = nil
            run.counted = first.counted
            try redis("XADD", east.key, "12-1", "hello", "world")
            try redis("XADD", east.key, "12-2", "op", "put", "tenant", "1", "type", "person", "key", "1", "data", "{}")
            try commit("12-3")
            let second = try await run.run()
            #expect(second.counts.unreadable == 1 && second.counts.incomplete == 1)
            #expect(try redis.members("cfg:{1}:person") == ["1"])
        }
    }

    @Test("A diff changes what it names and leaves the rest; between its announcement and it the cache is marked stale")
    func diff() async throws {
        try await withRedis { redis in
            let stale = { try redis("HGET", ProjectionKeys.trailing, "stale").text }
            func snapshot(_ position: UInt64, _ mode: String?, _ changes: [Change]) throws {
                try Script.write(
                    .init(position: position, changes: changes, isSnapshot: true, mode: mode), to: east, redis)
            }
            let names = (1...3).map { Script.person("1", $0) }
            try snapshot(10, nil, names.map { .put($0, ["user_name": "u\($0.key)"]) })
            _ = try await ProvisioningRun(redis: redis).run()
            #expect(try stale() == nil)
            try snapshot(20, "due", [])
            var result = try await ProvisioningRun(redis: redis).run()
            #expect(result.counts.incomplete == 0 && result.counts.transactions == 1)
            #expect(try stale() == "missed-changes:20")
            #expect(try redis("HGET", ProjectionKeys.trailing, "provisioning").text == "20")
            #expect(try redis.members("cfg:{1}:person") == ["1", "2", "3"])
            try snapshot(30, "diff", [.put(names[0], ["user_name": "other"]), .delete(names[1])])
            result = try await ProvisioningRun(redis: redis).run(staleness: Staleness("missed-changes:20"))
            #expect(result.counts.incomplete == 0 && result.counts.unreadable == 0)
            #expect(try stale() == "unverified:30")
            #expect(try redis.members("cfg:{1}:person") == ["1", "3"])
            #expect(try redis.hash("cfg:{1}:person:1")["user_name"] == "other")
            #expect(try CacheImage(redis, tenants: ["1"]).problems == [])
        }
    }

    @Test("A cache whose journal does not begin with a whole snapshot is marked until one comes; a diff is none")
    func missingBeginning() async throws {
        try await withRedis { redis in
            let stale = { try redis("HGET", ProjectionKeys.trailing, "stale").text }
            try Script.write(
                .init(position: 20, changes: [], isSnapshot: true, mode: "due"), to: east, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            #expect(try stale() == "missing-beginning:20")
            // Whatever comes of a snapshot, what is marked is looked for afterwards in all of this cache, from its beginning.
            for (position, mode, mark) in [
                (UInt64(30), "diff", "missing-beginning:20"), (40, nil, "unverified:40"),
                (50, "due", "missed-changes:50"), (60, "diff", "unverified:60"),
            ] {
                let before = try stale().flatMap { Staleness($0) }
                try Script.write(
                    .init(
                        position: position, changes: mode == "due" ? [] : [.put(Script.person("1", 7), alice)],
                        isSnapshot: true, mode: mode), to: east, redis)
                _ = try await ProvisioningRun(redis: redis).run(staleness: before)
                #expect(try stale() == mark)
            }
            try redis("HSET", ProjectionKeys.trailing, "stale", "missing-beginning:60")
            try Script.write(.init(position: 70, changes: [], isSnapshot: true, mode: "due"), to: east, redis)
            _ = try await ProvisioningRun(redis: redis).run(staleness: Staleness("missing-beginning:60"))
            #expect(try stale() == "missed-changes:70")
        }
    }
}
