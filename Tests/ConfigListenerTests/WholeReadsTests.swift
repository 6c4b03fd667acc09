import Journal
import RESP
import RedisClient
import Testing

@testable import ConfigListener
@testable import Projection

@Suite("Reads that wait", .timeLimit(.minutes(5)))
struct WholeReadsTests {
    private static let reads = [
        ["CFG.GET", "101", "person", "7"], ["CFG.MGET", "101", "person", "7"],
        ["CFG.FIND", "101", "person", "user_name", "alice"], ["CFG.LIST", "101", "person"],
    ]

    @Test("While a transaction is half there nothing of its tenant is read that is not remembered")
    func halfThere() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            try await bench.write("HSET", "cfg:{101}:person:6", "user_name", "bob")
            #expect(try await client.shown("CFG.GET", "101", "person", "6").contains("bob"))
            try await bench.write("HSET", "rs:{101}:projection", "applying", "100 1")
            for words in Self.reads {
                await #expect(
                    throws: RedisError.server(code: "TIMEOUT", message: "a large transaction is being applied"),
                    "\(words)"
                ) { try await client.send(RedisCommand(words + ["TIMEOUT", "20"])) }
            }
            #expect(try await client.shown("CFG.GET", "101", "person", "6").contains("bob"))
            #expect(try await client.shown("CFG.GET", "102", "tenant", "102").contains("Other"))
            await client.close()
        }
    }

    @Test("They are answered when it is whole, whoever applied it", arguments: [true, false], reads)
    func becomesWhole(isTold: Bool, words: [String]) async throws {
        try await ReadBench.with { bench in
            try await bench.write("HSET", "rs:{101}:projection", "applying", "100 1")
            try await bench.write("HSET", "cfg:{101}:person:7", "user_name", "half")
            let looks = try await bench.redis.calls(of: "hmget")
            try await withThrowingTaskGroup(of: String.self) { group in
                group.addTask {
                    let client = try await bench.client()
                    let reply: RedisReply = try await client.send(RedisCommand(words + ["TIMEOUT", "60000"]))
                    await client.close()
                    return reply.description
                }
                // What it was read with found the mark.
                try await bench.eventually { try await bench.redis.calls(of: "hmget") > looks }
                try await bench.write("HSET", "cfg:{101}:person:7", "user_name", "alice")
                try await bench.write("HSET", "cfg:{101}:person:by:user_name", "alice", "7")
                try await bench.write("SADD", "cfg:{101}:person", "7")
                try await bench.write("HDEL", "rs:{101}:projection", "applying")
                if isTold { bench.progress.reached(Position(number: 101)) }
                for try await reply in group {
                    #expect(!reply.contains("half"))
                    #expect(reply.contains("alice") || reply.contains("\"7\""))
                }
            }
        }
    }

    @Test("A token is waited for, and then memory is passed by and renewed")
    func token() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            try await bench.write("HSET", "cfg:{101}:person:7", "user_name", "alice")
            #expect(try await client.shown("CFG.GET", "101", "person", "7").contains("alice"))
            let hits = bench.cache.memory.usage.hits
            #expect(try await client.shown("CFG.GET", "101", "person", "7", "AT", "100-5").contains("alice"))
            #expect(bench.tokens.asked == [WriteToken(after: Position(number: 100), xid: 5)])
            #expect(bench.cache.memory.usage.hits == hits)
            for words in Self.reads {
                _ = try await client.send(RedisCommand(words + ["AT", "100-6"])) as RedisReply
                #expect(bench.tokens.asked.last?.xid == 6)
            }
            for (verdict, code) in [(TokenVerdict.timedOut, "TIMEOUT"), (.unknown, "STALE")] {
                bench.tokens.answer(verdict)
                for words in Self.reads {
                    do throws(RedisError) {
                        let reply: RedisReply = try await client.send(RedisCommand(words + ["AT", "100-7"]))
                        Issue.record("\(words) was answered with \(reply)")
                    } catch {
                        guard case .server(code, _) = error else {
                            Issue.record("\(words): \(error)")
                            return
                        }
                    }
                }
            }
            await client.close()
        }
    }

    @Test("A token is waited for again where Redis was lost between that and the read", arguments: reads)
    func tokenOfALostRedis(words: [String]) async throws {
        try await ReadBench.with { bench in
            try await bench.write("HSET", "rs:{101}:projection", "applying", "100 1")
            let looks = try await bench.redis.calls(of: "hmget")
            try await withThrowingTaskGroup(of: String.self) { group in
                group.addTask {
                    let client = try await bench.client()
                    let reply = try await client.shown(words + ["AT", "100-5", "TIMEOUT", "60000"])
                    await client.close()
                    return reply
                }
                // The token was there, and the read waits for the rest of another transaction.
                try await bench.eventually { try await bench.redis.calls(of: "hmget") > looks }
                #expect(bench.tokens.asked.count == 1)
                let life = bench.cache.memory.life
                bench.tokens.answer(.timedOut)
                let marked = ["HSET", "rs:{101}:projection", "provisioning", "90", "applying", "90 1"]
                try await bench.writeTogether([["FLUSHALL"]] + ReadBench.seeds + [marked])
                try await bench.eventually { bench.cache.memory.life != life }
                try await bench.write("HDEL", "rs:{101}:projection", "applying")
                for try await reply in group {
                    #expect(reply == "TIMEOUT the region has not come to that token yet")
                }
                #expect(bench.tokens.asked.count == 2)
                // In what is left of its time.
                let patiences = bench.tokens.patiences
                let (first, second) = (try #require(patiences.first), try #require(patiences.last))
                #expect(second < first)
            }
        }
    }

    @Test("A tenant that came with the token's write is found")
    func youngTenant() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            #expect(try await client.shown("CFG.GET", "Young", "tenant", "103", "AT", "1-1").hasPrefix("NOTENANT"))
            try await bench.write("SADD", tenantsKey, "103")
            try await bench.write("HSET", "cfg:{103}:tenant:103", "name", "Young")
            #expect(try await client.shown("CFG.GET", "Young", "tenant", "103", "AT", "1-1").contains("Young"))
            await client.close()
        }
    }

    @Test("A list gives every id that stays, a page at a time, and says since when to watch")
    func list() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            let ids = (1...3000).map { "\($0)" }
            _ = try await bench.redis.send(RedisCommand(["SADD", "cfg:{101}:person"] + ids)) as RedisReply
            var (cursor, found, pages) = ("0", Set<String>(), 0)
            repeat {
                let reply: RedisReply = try await client.send(
                    RedisCommand("CFG.LIST", "Acme", "person", "CURSOR", cursor, "COUNT", "200"))
                #expect(reply[0]?.string == "position" && reply[2]?.string == "cursor" && reply[4]?.string == "ids")
                // That of the first page, though provisioning has gone on since.
                #expect(reply[1]?.string == "100")
                cursor = try #require(reply[3]?.string)
                let page = try #require(reply[5]).elements.compactMap(\.string)
                #expect(page == ConfigReads.sorted(page))
                found.formUnion(page)
                pages += 1
                try await bench.write("HSET", ProjectionKeys.trailing, "provisioning", "\(100 + pages)")
                try await bench.write("SADD", "cfg:{101}:person", "\(3000 + pages)")
                try await bench.write("SREM", "cfg:{101}:person", "\(pages)")
            } while cursor != "0"
            #expect(pages > 5)
            #expect(found.isSuperset(of: (pages + 1...3000).map { "\($0)" }))
            try await bench.write("HSET", "rs:{101}:projection", "provisioning", "200")
            #expect(
                try await client.shown("CFG.LIST", "101", "note")
                    == "[\"position\", \"200\", \"cursor\", \"0\", \"ids\", []]")

            let foreign = ListCursor(position: Position(number: 1), life: "another", scan: 5).description
            #expect(try await client.shown("CFG.LIST", "101", "person", "CURSOR", foreign).hasPrefix("STALE"))
            await client.close()
        }
    }
}
