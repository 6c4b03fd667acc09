import Journal
import Projection
import RESP
import Testing

@Suite("What a projecting worker still sends when another has gone on in its place", .serialized)
struct LateCallTests {
    private let east = JournalName.provisioning(origin: "us-east")

    @Test("late changes, words on quarantine and cursors are refused, and change nothing")
    func refused() async throws {
        try await withRedis { redis in
            let (known, absent) = (Script.person("1", 7), Script.person("1", 8))
            let row = ["dbid": "8", "user_name": "bob"]
            try Script.write(
                .init(position: 10, changes: [.put(known, ["user_name": "al"]), .patch(absent, ["x": "1"])]), to: east,
                redis)
            _ = try await ProvisioningRun(redis: redis).run()
            #expect(try redis.members("rs:{1}:quarantine") == ["person:8"])

            // The late one has read the next transaction, which makes the object whole, and sent nothing yet.
            try Script.write(.init(position: 11, changes: [.put(absent, row)]), to: east, redis)
            let ten = Position(number: 10)
            var fold = ProvisioningFold(
                journals: [east], layouts: IndexLayouts(Script.catalog), trailing: ten,
                cursors: ["1": TenantCursor(ten)], quarantined: [absent])
            var performer = ProvisioningPerformer(store: redis)
            for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
            _ = try await performer.perform(&fold, trailing: ten, noted: { _, _ in })
            let late = performer.take() + [ProjectionFunctions.advance(from: ten, to: Position(number: 11))]
            #expect(late.count == 3)

            try Script.write(.init(position: 12, changes: [.delete(absent)]), to: east, redis)
            try Script.write(.init(position: 13, changes: [.patch(absent, ["x": "2"])]), to: east, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            let before = try CacheImage(redis, tenants: ["1"])
            for result in await redis.send(late).replies() {
                guard case .failure(.server("CURSOR", _)) = result else {
                    Issue.record("not refused: \(result)")
                    continue
                }
            }
            #expect(try CacheImage(redis, tenants: ["1"]).objects == before.objects)
            #expect(before.objects.keys.sorted { $0.key < $1.key } == [known])
            #expect(try redis.members("rs:{1}:quarantine") == ["person:8"])
            #expect(try redis.hash("rs:{_}:projection")["provisioning"] == "13")
        }
    }

    @Test("a late word on whether the cache is stale changes nothing, also before the next worker has moved the cursor")
    func lateMark() async throws {
        try await withRedis { redis in
            func stale() throws -> Staleness? {
                try redis("HGET", ProjectionKeys.trailing, "stale").text.flatMap { Staleness($0) }
            }
            func put(_ name: String) -> [Change] { [.put(Script.person("1", 7), ["user_name": name])] }
            try Script.write(.init(position: 5, changes: put("a"), isSnapshot: true), to: east, redis)
            try Script.write(.init(position: 10, changes: [], isSnapshot: true, mode: "due"), to: east, redis)
            _ = try await ProvisioningRun(redis: redis).run()
            #expect(try stale()?.description == "missed-changes:10")

            // The late one has read what ends that, and sent nothing yet.
            try Script.write(.init(position: 20, changes: put("b"), isSnapshot: true, mode: "diff"), to: east, redis)
            let ten = Position(number: 10)
            var fold = ProvisioningFold(
                journals: [east], layouts: IndexLayouts(Script.catalog), trailing: ten,
                cursors: ["1": TenantCursor(Position(number: 5))], staleness: try stale())
            var performer = ProvisioningPerformer(store: redis)
            for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
            _ = try await performer.perform(&fold, trailing: ten, noted: { _, _ in })
            let late = performer.take()
            #expect(late.count == 2 && fold.staleness?.cause == .unverified)

            try Script.write(.init(position: 30, changes: [], isSnapshot: true, mode: "due"), to: east, redis)
            _ = try await ProvisioningRun(redis: redis).run(staleness: try stale())
            for trailing in ["30", "10"] {
                try redis("HSET", ProjectionKeys.trailing, "provisioning", trailing)
                _ = await redis.send(late).replies()
                #expect(try stale()?.description == "missed-changes:30", "the cursor at \(trailing)")
            }
        }
    }
}
