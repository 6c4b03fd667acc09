import Journal
import RESP
import RedisClient
import Testing

@testable import ConfigListener
@testable import Projection

@Suite("Reads of provisioning", .timeLimit(.minutes(5)))
struct ConfigReadsTests {
    @Test("An object is read once, then remembered until somebody changes it; one that is not there as well")
    func get() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            try await bench.write("HSET", "cfg:{101}:person:7", "user_name", "alice", "_v", "90", "_d", "5")
            let fields = "[\"user_name\", \"alice\", \"_v\", \"90\", \"_d\", \"5\"]"
            for word in ["101", "Acme", "101"] {
                #expect(try await client.shown("CFG.GET", word, "person", "7") == fields)
            }
            #expect(bench.cache.memory.usage.objects == 1)
            #expect(bench.cache.memory.usage.hits == 2)
            #expect(try await client.shown("cfg.get", "Acme", "person", "7", "TIMEOUT", "0") == fields)
            #expect(bench.cache.memory.usage.hits == 3)
            for _ in 0..<2 { #expect(try await client.shown("CFG.GET", "101", "person", "8") == "(nil)") }
            #expect(bench.cache.memory.usage.hits == 4)

            try await bench.write("HSET", "cfg:{101}:person:7", "user_name", "bob")
            try await bench.write("HSET", "cfg:{101}:person:8", "user_name", "carol")
            try await bench.eventually {
                try await client.shown("CFG.GET", "Acme", "person", "7").contains("bob")
            }
            try await bench.eventually {
                try await client.shown("CFG.GET", "Acme", "person", "8").contains("carol")
            }
            try await bench.write("DEL", "cfg:{101}:person:7")
            try await bench.eventually { try await client.shown("CFG.GET", "101", "person", "7") == "(nil)" }
            await client.close()
        }
    }

    @Test("Another tenant is as one that is not there, remembered or not")
    func isolation() async throws {
        try await ReadBench.with { bench in
            let (all, pulse) = (try await bench.client(), try await bench.client("pulse"))
            try await bench.write("HSET", "cfg:{102}:person:7", "user_name", "dora")
            #expect(try await all.shown("CFG.GET", "102", "person", "7").contains("dora"))
            #expect(try await all.shown("CFG.GET", "Other", "person", "7").contains("dora"))
            for tenant in ["102", "Other", "103", "Nobody", "", "-1"] {
                for words in [
                    ["CFG.GET", tenant, "person", "7"], ["CFG.GET", tenant, "person", "7", "AT", "100-5"],
                    ["CFG.MGET", tenant, "person", "7"], ["CFG.FIND", tenant, "person", "user_name", "dora"],
                    ["CFG.LIST", tenant, "person"], ["CFG.TYPES", tenant], ["CFG.STATE", tenant],
                ] {
                    await #expect(throws: RedisError.server(code: "NOTENANT", message: "no such tenant"), "\(words)") {
                        try await pulse.send(RedisCommand(words: words, runs: []))
                    }
                }
            }
            for client in [all, pulse] { await client.close() }
        }
    }

    @Test("A tenant that is removed is none, whatever is remembered not to be there of it")
    func removedTenant() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            #expect(try await client.shown("CFG.GET", "102", "person", "7") == "(nil)")
            let hits = bench.cache.memory.usage.hits
            #expect(try await client.shown("CFG.GET", "102", "person", "7") == "(nil)")
            #expect(bench.cache.memory.usage.hits == hits + 1)
            try await bench.write("DEL", "cfg:{102}:tenant:102")
            try await bench.write("SREM", tenantsKey, "102")
            // Tenants are looked at where one is asked for that is not known.
            let none = "NOTENANT no such tenant"
            #expect(try await client.shown("CFG.GET", "103", "person", "7") == none)
            #expect(try await client.shown("CFG.GET", "102", "person", "7") == none)
            await client.close()
        }
    }

    @Test("What is no object is none: indexes, words that are no text, keys that hold something else")
    func others() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            try await bench.write("HSET", "cfg:{101}:person:by:user_name", "alice", "7")
            try await bench.write("SET", "cfg:{101}:person:9", "x")
            #expect(try await client.shown("CFG.GET", "101", "person", "by:user_name") == "(nil)")
            #expect(try await client.shown("CFG.GET", "101", "person", "9") == "(nil)")
            #expect(try await client.shown("CFG.GET", "101", "person", "") == "(nil)")
            #expect(
                try await client.shown("CFG.GET", "101", "person:by", "user_name")
                    == "ERR no such object type 'person:by'")
            var run = BulkStrings()
            run.append([0xff, 0xfe] as [UInt8])
            let command = RedisCommand(["CFG.GET", "101", "person"], run)
            let reply: RedisReply = try await client.send(command)
            #expect(reply.isNull)
            await client.close()
        }
    }

    @Test("What is wrong is said in Redis' words")
    func errors() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            let cases: [([String], String)] = [
                (["CFG.GET", "101", "person"], "ERR wrong number of arguments for 'cfg.get' command"),
                (["CFG.GET", "101", "person", "7", "8"], "ERR syntax error"),
                (["CFG.GET", "101", "person", "7", "AT"], "ERR syntax error"),
                (["CFG.GET", "101", "person", "7", "AT", "x"], "ERR AT takes a token as CFG.PUT answers it"),
                (["CFG.GET", "101", "person", "7", "TIMEOUT", "-1"], "ERR timeout is negative"),
                (["CFG.GET", "101", "person", "7", "TIMEOUT", "60001"], "ERR timeout is out of range"),
                (["CFG.GET", "101", "persons", "7"], "ERR no such object type 'persons'"),
                (
                    ["CFG.FIND", "101", "person", "name", "x"],
                    "ERR objects of type person are found by user_name, place_dbid"
                ),
                (["CFG.FIND", "101", "note", "name", "x"], "ERR objects of type note are found by id alone"),
                (["CFG.FIND", "101", "person", "user_name", "x", "y"], "ERR syntax error"),
                (["CFG.LIST", "101", "person", "COUNT", "0"], "ERR COUNT must be > 0"),
                (["CFG.LIST", "101", "person", "CURSOR", "7"], "ERR invalid cursor"),
                (["CFG.TYPES", "101", "102"], "ERR wrong number of arguments for 'cfg.types' command"),
                (["CFG.STATE", "101", "102"], "ERR wrong number of arguments for 'cfg.state' command"),
                (["CFG.DESCRIBE", "x\r\ny"], "ERR no such object type 'x  y'"),
                (
                    ["CFG.MGET", "101", "person"] + (0...ConfigReads.idLimit).map { "\($0)" },
                    "LIMIT at most 500 ids in one call"
                ),
            ]
            for (words, expected) in cases {
                do throws(RedisError) {
                    let reply: RedisReply = try await client.send(RedisCommand(words: words, runs: []))
                    Issue.record("\(words) was answered with \(reply)")
                } catch {
                    #expect("\(error)" == expected, "\(words)")
                }
            }
            await client.close()
        }
    }

    @Test("Several are read at one instant, in the order asked for")
    func mget() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            for id in 1...3 { try await bench.write("HSET", "cfg:{101}:person:\(id)", "user_name", "u\(id)") }
            #expect(
                try await client.shown("CFG.MGET", "Acme", "person", "3", "9", "by:x", "1", "1", "TIMEOUT", "9")
                    == "[[\"user_name\", \"u3\"], (nil), (nil), [\"user_name\", \"u1\"], [\"user_name\", \"u1\"]]")
            let ids = (1...ConfigReads.idLimit).map { "\($0)" }
            let reply: RedisReply = try await client.send(RedisCommand(["CFG.MGET", "101", "person"] + ids))
            #expect(reply.count == ConfigReads.idLimit)
            await client.close()
        }
    }

    @Test("More objects than are read together are as of one instant, though all of them change all the while")
    func mgetWhileWritten() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            let ids = (1...3 * ConfigReads.sliceObjects + 1).map { "\($0)" }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    var round = 100
                    while !Task.isCancelled {
                        round += 1
                        let puts = ids.map { RedisCommand("HSET", "cfg:{101}:person:\($0)", "user_name", "\(round)") }
                        let cursor = RedisCommand("HSET", "rs:{101}:projection", "provisioning", "\(round)")
                        let all = [RedisCommand("MULTI")] + puts + [cursor, RedisCommand("EXEC")]
                        for result in await bench.redis.pipeline(all) { _ = try result.get() }
                    }
                }
                let ask = RedisCommand(["CFG.MGET", "101", "person"] + ids)
                try await bench.eventually {
                    try await (client.send(ask) as RedisReply).elements.allSatisfy { $0.count == 2 }
                }
                var (reads, seen) = (0, Set<String>())
                while reads < 100 || seen.count < 2 {
                    try Task.checkCancellation()
                    let reply: RedisReply = try await client.send(ask)
                    let names = Set(reply.elements.compactMap { $0[1]?.string })
                    #expect(reply.count == ids.count && names.count == 1, "\(names)")
                    seen.formUnion(names)
                    reads += 1
                }
                group.cancelAll()
            }
            await client.close()
        }
    }

    @Test("Objects that are too large together are refused, however that comes, and nobody else has to suffer for it")
    func mgetLarge() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            let large = String(repeating: "x", count: 400 << 10)
            for id in 1...50 { try await bench.write("HSET", "cfg:{101}:person:\(id)", "user_name", large) }
            func session() async throws -> Substring? {
                try await bench.write("CLIENT", "LIST").string?.split(separator: "\n")
                    .first { $0.contains("name=regionsync-reads ") }?.split(separator: " ").first
            }
            let before = try await session()
            let refusal = "LIMIT the objects have more than 16 MiB together; ask for fewer at once"
            for ids in [(1...50).map { "\($0)" }, Array(repeating: "7", count: 50)] {
                do throws(RedisError) {
                    let reply: RedisReply = try await client.send(RedisCommand(["CFG.MGET", "101", "person"] + ids))
                    Issue.record("answered with \(reply.count)")
                } catch {
                    #expect("\(error)" == refusal)
                }
            }
            let some: RedisReply = try await client.send(
                RedisCommand(["CFG.MGET", "101", "person"] + (1...30).map { "\($0)" }))
            #expect(some.elements.allSatisfy { $0[1]?.string?.utf8.count == large.utf8.count })
            #expect(try await session() == before && before != nil)
            await client.close()
        }
    }

    @Test("Objects are found by unique indexes and by others")
    func find() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            try await bench.write("HSET", "cfg:{101}:person:by:user_name", "alice", "7")
            try await bench.write("SADD", "cfg:{101}:person:by:place_dbid:5", "10", "9", "x")
            #expect(try await client.shown("CFG.FIND", "Acme", "person", "user_name", "alice") == "[\"7\"]")
            #expect(try await client.shown("CFG.FIND", "Acme", "person", "user_name", "bob") == "[]")
            #expect(
                try await client.shown("CFG.FIND", "101", "person", "place_dbid", "5", "TIMEOUT", "1")
                    == "[\"9\", \"10\", \"x\"]")
            #expect(try await client.shown("CFG.FIND", "101", "person", "place_dbid", "6") == "[]")
            await client.close()
        }
    }

    @Test("As many objects as one answer may have are found; of more it is said how to list them")
    func findMany() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            let key = "cfg:{101}:person:by:place_dbid:5"
            let ids = (1...ConfigReads.foundLimit).map { "\($0)" }
            _ = try await bench.redis.send(RedisCommand(["SADD", key] + ids)) as RedisReply
            let find = RedisCommand("CFG.FIND", "101", "person", "place_dbid", "5")
            let all = try await client.send(find) as RedisReply
            #expect(all.elements.compactMap(\.string) == ids)
            try await bench.write("SADD", key, "one more")
            let refusal = try await client.shown("CFG.FIND", "101", "person", "place_dbid", "5")
            #expect(refusal.hasPrefix("LIMIT ") && refusal.contains("CFG.LIST"))
            await client.close()
        }
    }

    @Test("What types there are, in all and of a tenant, and what they are made of")
    func types() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client("pulse")
            #expect(try await client.shown("CFG.TYPES") == "[\"note\", \"person\", \"tenant\"]")
            #expect(try await client.shown("CFG.TYPES", "Acme") == "[]")
            try await bench.write("SADD", "cfg:{101}:person", "7")
            #expect(try await client.shown("CFG.TYPES", "Acme") == "[\"person\"]")
            let description = try await client.shown("CFG.DESCRIBE", "person")
            #expect(
                description
                    == "[\"type\", \"person\", \"table\", \"provisioning.person\", \"key\", [\"dbid\"], \"tenant\", "
                    + "\"tenant_dbid\", \"indexes\", [[\"field\", \"user_name\", \"unique\", 1], "
                    + "[\"field\", \"place_dbid\", \"unique\", 0]], \"omitted\", [\"password_hash\"]]")
            await client.close()
        }
    }
}
