import Journal
import Projection
import Testing

private let east = JournalName.provisioning(origin: "us-east")

@Suite("What was amiss with provisioning journals", .serialized)
struct InexactnessTests {
    private func inexact(_ redis: PlainRedis) throws -> String? {
        try redis("HGET", ProjectionKeys.trailing, "inexact").text
    }

    private func put(_ numbers: ClosedRange<Int>) -> [Change] {
        numbers.map { .put(Script.person("1", $0), ["user_name": "u\($0)"]) }
    }

    @Test("is said before anything of it is applied, counted once whoever is killed, and kept until a whole snapshot")
    func remembered() async throws {
        try await withRedis { redis in
            try Script.write(.init(position: 10, changes: put(1...2)), to: east, redis)
            try redis("XDEL", east.key, "10-1")
            var run = ProvisioningRun(redis: redis)
            var kills = 0
            for budget in 0... {
                run.budget = budget
                let wasKilled = try await run.run().wasKilled
                if try redis("EXISTS", "cfg:{1}:person:2") == .integer(1) {
                    #expect(try inexact(redis) == "incomplete:1:10-3")
                }
                guard wasKilled else { break }
                kills += 1
            }
            #expect(kills > 1)
            #expect(try inexact(redis) == "incomplete:1:10-3")
            run.budget = nil

            try redis("XADD", east.key, "11-1", "hello", "world")
            try redis("XADD", east.key, "11-2", "op", "commit", "count", "1", "end", "1", "xid", "1", "time", "1")
            _ = try await run.run()
            #expect(try inexact(redis) == "incomplete:1:10-3 unreadable:1:11-1")

            // It takes the place of what was there, but lacks something itself.
            try Script.write(.init(position: 20, changes: put(1...2), isSnapshot: true), to: east, redis)
            try redis("XDEL", east.key, "20-2")
            _ = try await run.run()
            #expect(try inexact(redis) == "incomplete:2:20-4")

            try Script.write(.init(position: 30, changes: put(1...3), isSnapshot: true), to: east, redis)
            _ = try await run.run()
            #expect(try inexact(redis) == nil)
            #expect(try redis.members("cfg:{1}:person") == ["1", "2", "3"])
        }
    }

    @Test("a transaction that comes too late is said as well")
    func late() async throws {
        try await withRedis { redis in
            let west = JournalName.provisioning(origin: "eu-west")
            try redis.loadFunctions()
            var fold = ProvisioningFold(
                journals: [east, west], layouts: IndexLayouts(Script.catalog), trailing: Position(number: 1),
                cursors: [:])
            var performer = ProvisioningPerformer(store: redis)
            try redis("HSET", ProjectionKeys.trailing, "provisioning", "1")
            for (position, journal) in [(UInt64(20), west), (10, east)] {
                try Script.write(.init(position: position, changes: put(1...1)), to: journal, redis)
                for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
                _ = try await performer.perform(&fold, trailing: Position(number: 1), noted: { _, _ in })
                for reply in await redis.send(performer.take()).replies() { _ = try reply.get() }
            }
            #expect(fold.counts.late == 1)
            #expect(try inexact(redis) == "late:1:10-1")
            #expect(fold.inexactness.reasons == ["1 transactions too late"])
        }
    }

    @Test(
        "what the field holds is read back; words of others are passed over",
        arguments: [
            ("", ""), ("late:2:7-1 incomplete:1:9-1", "incomplete:1:9-1 late:2:7-1"),
            ("lost:1:9-1 late:x:7-1 late", ""),
        ])
    func text(held: String, read: String) {
        #expect(Inexactness(held).description == read)
        #expect(Inexactness(held).isEmpty == read.isEmpty)
    }
}
