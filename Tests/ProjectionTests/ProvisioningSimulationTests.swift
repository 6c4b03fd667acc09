import Journal
import Projection
import ServerFixtures
import Testing
import Traffic

/// Draws transactions that a database with the catalog's constraints could have committed.
struct ScriptGenerator {
    var random: SplitMix64
    var position: UInt64 = 9_007_199_254_740_990
    /// What the database holds: by it values of unique columns are drawn.
    var model = ProvisioningModel()
    let tenants = ["1", "22", "333"]

    mutating func transaction() -> Script.Transaction {
        position += UInt64.random(in: 1...50, using: &random)
        if Int.random(in: 0..<40, using: &random) == 0 { return snapshot() }
        var transaction = Script.Transaction(position: position, changes: [])
        transaction.isClosed = Int.random(in: 0..<12, using: &random) > 0
        let size = [1, 1, 2, 5, 40][Int.random(in: 0..<5, using: &random)]
        var state = model
        for _ in 0..<size { change(&transaction, &state) }
        if transaction.isClosed { model.apply(transaction) }
        return transaction
    }

    private mutating func snapshot() -> Script.Transaction {
        var transaction = Script.Transaction(position: position, changes: [], isSnapshot: true)
        if Bool.random(using: &random) {
            transaction.mode = "diff"
            var state = model
            for _ in 0..<10 {
                let tenant = tenants[Int.random(in: 0..<3, using: &random)]
                let name = Script.person(tenant, Int.random(in: 0..<12, using: &random))
                let change: Change =
                    Bool.random(using: &random) ? .delete(name) : .put(name, row(in: state, tenant, name))
                transaction.changes.append(change)
                state.apply(Script.Transaction(position: 0, changes: [change]))
            }
            model.apply(transaction)
            return transaction
        }
        for (name, row) in model.objects.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            if Int.random(in: 0..<8, using: &random) > 0 { transaction.changes.append(.put(name, row)) }
        }
        model.apply(transaction)
        return transaction
    }

    private mutating func change(_ transaction: inout Script.Transaction, _ state: inout ProvisioningModel) {
        let tenant = tenants[Int.random(in: 0..<3, using: &random)]
        let name = Script.person(tenant, Int.random(in: 0..<12, using: &random))
        let before = transaction.changes.count
        switch Int.random(in: 0..<40, using: &random) {
        case 0: transaction.changes.append(.truncate("person"))
        case 1...8: transaction.changes.append(.delete(name))
        case 9...14 where state.objects[name] != nil:
            transaction.changes.append(.patch(name, row(in: state, tenant, name)))
        case 15...17 where state.objects[name] != nil:
            let new = Script.person(tenant, Int.random(in: 12..<20, using: &random))
            guard state.objects[new] == nil else { return }
            transaction.changes.append(.patch(new, row(in: state, tenant, name), from: name))
            transaction.changes.append(.delete(name))
        case 18...22:
            transaction.changes.append(
                .put(ObjectName(tenant: tenant, type: "skill", key: name.key), ["name": "s"]))
        default:
            let row = row(in: state, tenant, name)
            transaction.changes.append(state.objects[name] == nil ? .insert(name, row) : .put(name, row))
        }
        state.apply(Script.Transaction(position: 0, changes: Array(transaction.changes[before...])))
    }

    /// A user name that nobody else has at that moment, a shared place, and a NULL now and then.
    private mutating func row(in state: ProvisioningModel, _ tenant: String, _ name: ObjectName) -> [String: String?] {
        var taken: Set<String> = []
        for (other, row) in state.objects where other.tenant == tenant && other.type == "person" && other != name {
            if let value = row["user_name"] { taken.insert(value) }
        }
        let free = (0..<16).map { "u\($0)" }.filter { !taken.contains($0) }
        var row: [String: String?] = ["user_name": free.randomElement(using: &random)]
        row["place"] = ["A", "B", "", nil][Int.random(in: 0..<4, using: &random)]
        if Bool.random(using: &random) { row["note"] = ["x", nil][Int.random(in: 0..<2, using: &random)] }
        return row
    }
}

@Suite("Provisioning projection by seed", .serialized)
struct ProvisioningSimulationTests {
    @Test("Killed between any two commands, refused in the middle of many: it ends as if all were applied whole")
    func killed() async throws {
        try await withRedis { redis in
            for seed in 1...6 {
                try redis("FLUSHALL")
                try await run(seed: UInt64(seed), redis)
            }
        }
    }

    private func run(seed: UInt64, _ redis: PlainRedis) async throws {
        var script = ScriptGenerator(random: SplitMix64(seed: seed))
        var random = SplitMix64(seed: seed &* 77)
        var limits = ProvisioningFold.Limits()
        limits.joinedObjects = 6
        limits.wholeObjects = 12
        limits.chunkObjects = 4
        let journal = JournalName.provisioning(origin: "us-east")
        var run = ProvisioningRun(redis: redis, limits: limits)
        var kills = 0
        for _ in 0..<4 {
            for _ in 0..<12 { try Script.write(script.transaction(), to: journal, redis) }
            for attempt in 0... {
                // More and more, so that the largest transaction is got through at last.
                run.budget = Int.random(in: 0...(20 + attempt * 2), using: &random)
                run.refused = Bool.random(using: &random) ? Int.random(in: 1...30, using: &random) : nil
                run.sentBytes = Bool.random(using: &random) ? 1 : 2 << 20
                let result = try await run.run()
                kills += result.wasKilled ? 1 : 0
                #expect(result.counts.incomplete == 0)
                if !result.wasKilled { break }
                if kills % 7 == 6 { run.limits.wholeObjects = 1000 }
            }
            run.budget = nil
            run.refused = nil
            _ = try await run.run()
            let image = try CacheImage(redis, tenants: script.tenants)
            #expect(image.problems == [], "seed \(seed)")
            #expect(image.differences(from: script.model) == [], "seed \(seed)")
            for tenant in script.tenants {
                #expect(
                    try redis("HEXISTS", ProjectionKeys.cursors(tenant: tenant), "applying") == .integer(0),
                    "seed \(seed)")
            }
        }
        #expect(kills > 0)
    }

    @Test("A transaction of 20,000 objects is applied in chunks under a mark, held in bounded memory")
    func large() async throws {
        try await withRedis { redis in
            let journal = JournalName.provisioning(origin: "us-east")
            let count = 20_000
            try redis(
                "EVAL",
                """
                for i = 1, tonumber(ARGV[1]) do
                    redis.call('XADD', KEYS[1], '50-' .. i, 'op', 'put', 'tenant', '1', 'type', 'person', 'key', tostring(i),
                        'data', '{"dbid":"' .. i .. '","note":"some text that takes room","user_name":"u' .. i .. '"}')
                end
                """, "1", journal.key, "\(count)")
            var run = ProvisioningRun(redis: redis)
            // Not closed yet: nothing shows.
            var result = try await run.run()
            #expect(result.counts.objects == 0)
            #expect(try redis("EXISTS", "cfg:{1}:person") == .integer(0))
            try redis(
                "XADD", journal.key, "50-\(count + 1)", "op", "commit", "count", "\(count)", "end", "1", "xid", "1",
                "time", "1")
            run.budget = 40
            result = try await run.run()
            #expect(result.wasKilled)
            let held = try redis.hash(ProjectionKeys.cursors(tenant: "1"))
            #expect(held.count == 1 && held["applying"]?.hasPrefix("50:") == true)
            run.budget = nil
            result = try await run.run()
            #expect(result.counts.objects == count)
            #expect(result.counts.incomplete == 0)
            #expect(try redis.hash(ProjectionKeys.cursors(tenant: "1")) == ["provisioning": "50"])
            #expect(try redis("SCARD", "cfg:{1}:person") == .integer(Int64(count)))
            #expect(try redis("HLEN", "cfg:{1}:person:by:user_name") == .integer(Int64(count)))
        }
    }
}
