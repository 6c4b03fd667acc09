import PortFixtures
import RESP
import RESPServer
import RedisClient
import Testing

@testable import ConfigListener

@Suite("Large reads", .timeLimit(.minutes(5)))
struct LargeReadsTests {
    private static func words(_ count: Int, of tenant: String = "101", _ options: String...) -> [String] {
        ["CFG.MGET", tenant, "person"] + (1...count).map { "\($0)" } + options
    }

    @Test("Those of many objects take turns, for as long as they may wait; others are answered meanwhile")
    func turns() async throws {
        try await ReadBench.with { bench in
            for _ in 0..<ConfigReads.readersAtOnce { #expect(await bench.turns.take()) }
            let client = try await bench.client()
            let (few, many) = (ConfigReads.sliceObjects, ConfigReads.sliceObjects + 1)
            let refusal = RedisError.server(code: "TIMEOUT", message: "too many large reads at once; ask again")
            await #expect(throws: refusal) {
                try await client.send(RedisCommand(Self.words(many, "TIMEOUT", "20")))
            }
            let small: RedisReply = try await client.send(RedisCommand(Self.words(few)))
            #expect(small.count == few)
            try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    let reply: RedisReply = try await client.send(RedisCommand(Self.words(many, "TIMEOUT", "60000")))
                    return reply.count
                }
                try await bench.eventually { bench.turns.waitingCount == 1 }
                bench.turns.pass()
                let count = try await group.next()
                #expect(count == many)
            }
            // It has passed its turn on.
            #expect(await bench.turns.take())
            await client.close()
        }
    }

    @Test("One that waits for the rest of a transaction of its tenant has no turn meanwhile")
    func halfThere() async throws {
        try await ReadBench.with { bench in
            for _ in 1..<ConfigReads.readersAtOnce { #expect(await bench.turns.take()) }
            try await bench.write("HSET", "rs:{101}:projection", "applying", "100 1")
            let many = ConfigReads.sliceObjects + 1
            let looks = try await bench.redis.calls(of: "hmget")
            try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    let client = try await bench.client()
                    let reply: RedisReply = try await client.send(RedisCommand(Self.words(many, "TIMEOUT", "60000")))
                    await client.close()
                    return reply.count
                }
                // It has found the mark.
                try await bench.eventually { try await bench.redis.calls(of: "hmget") > looks }
                let client = try await bench.client()
                let reply: RedisReply = try await client.send(
                    RedisCommand(Self.words(many, of: "102", "TIMEOUT", "30000")))
                #expect(reply.count == many)
                await client.close()
                try await bench.write("HDEL", "rs:{101}:projection", "applying")
                let count = try await group.next()
                #expect(count == many)
            }
        }
    }

    @Test("A client that is gone does not wait for its turn")
    func gone() async throws {
        try await ReadBench.with { bench in
            for _ in 0..<ConfigReads.readersAtOnce { #expect(await bench.turns.take()) }
            var leaving = try [PortTalk(port: bench.port)]
            leaving[0].send(Self.words(ConfigReads.sliceObjects + 1, "TIMEOUT", "60000").joined(separator: " "))
            try await bench.eventually { bench.turns.waitingCount == 1 }
            leaving.removeAll()
            try await bench.eventually { bench.turns.waitingCount == 0 }
        }
    }
}
