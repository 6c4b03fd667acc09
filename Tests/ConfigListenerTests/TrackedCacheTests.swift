import Journal
import Logging
import NIOCore
import Observability
import RESP
import RedisClient
import Synchronization
import ServerFixtures
import Testing

@testable import ConfigListener
@testable import Projection

@Suite("Faults of the cache", .serialized, .timeLimit(.minutes(5)))
struct TrackedCacheTests {
    @Test("An emptied Redis: what was remembered is not any more, and nothing is said not to be there")
    func flushed() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            try await bench.write("HSET", "cfg:{101}:person:7", "user_name", "alice")
            #expect(try await client.shown("CFG.GET", "101", "person", "7").contains("alice"))
            #expect(try await client.shown("CFG.GET", "101", "person", "8") == "(nil)")
            try await bench.write("FLUSHALL")
            let nothing = "UNAVAILABLE nothing of PostgreSQL is in this region's cache yet"
            for id in ["7", "8"] {
                try await bench.eventually { try await client.shown("CFG.GET", "101", "person", id) == nothing }
            }
            for words in [["CFG.MGET", "101", "person", "7"], ["CFG.LIST", "101", "person"], ["CFG.TYPES", "101"]] {
                let reply = try? await client.send(RedisCommand(words)) as RedisReply
                #expect(reply == nil, "\(words)")
            }
            try await ReadBench.seed(bench.redis)
            #expect(try await client.shown("CFG.GET", "101", "person", "7") == "(nil)")
            #expect(try await client.shown("CFG.GET", "101", "tenant", "101").contains("Acme"))
            await client.close()
        }
    }

    @Test("A list does not go on in a Redis that was emptied meanwhile, though it is full again")
    func flushedList() async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            let ids = (1...3000).map { "\($0)" }
            let fill = RedisCommand(["SADD", "cfg:{101}:person"] + ids)
            _ = try await bench.redis.send(fill) as RedisReply
            let page = try await client.send(RedisCommand("CFG.LIST", "101", "person")) as RedisReply
            let cursor = try #require(page[3]?.string)
            #expect(cursor != "0")
            let next = ["CFG.LIST", "101", "person", "CURSOR", cursor]
            _ = try await client.send(RedisCommand(next)) as RedisReply
            try await bench.write("FLUSHALL")
            try await ReadBench.seed(bench.redis)
            _ = try await bench.redis.send(fill) as RedisReply
            #expect(
                try await client.shown("CFG.LIST", "101", "person", "CURSOR", cursor)
                    == "STALE the region's Redis was lost or emptied since that cursor; list from the beginning")
            let again = try await client.send(RedisCommand("CFG.LIST", "101", "person")) as RedisReply
            #expect(again[3]?.string.map { ListCursor($0) != nil } == true)
            await client.close()
        }
    }

    @Test("A Redis that is emptied while a list is read: its first page is read again, a later one cannot go on")
    func emptiedWhileListed() async throws {
        let emptied = EmptiedWhileListed()
        try await ReadBench.with(through: { EmptyingTracking(tracking: $0, emptied: emptied) }) { bench in
            let client = try await bench.client()
            let ids = (1...3000).map { "\($0)" }
            _ = try await bench.redis.send(RedisCommand(["SADD", "cfg:{101}:person"] + ids)) as RedisReply
            emptied.next(2)
            let list = RedisCommand("CFG.LIST", "101", "person", "TIMEOUT", "60000")
            let page = try await client.send(list) as RedisReply
            #expect(emptied.isOver)
            let cursor = try #require(page[3]?.string)
            #expect(cursor != "0")
            emptied.next(1)
            #expect(
                try await client.shown("CFG.LIST", "101", "person", "CURSOR", cursor)
                    == "STALE the region's Redis was lost or emptied since that cursor; list from the beginning")
            await client.close()
        }
    }

    @Test(
        "Either connection killed: the other one ends as well, and what was remembered is read anew",
        arguments: ["regionsync-invalidations", "regionsync-reads"])
    func killed(name: String) async throws {
        try await ReadBench.with { bench in
            let client = try await bench.client()
            try await bench.write("HSET", "cfg:{101}:person:7", "user_name", "alice")
            for round in 0..<5 {
                _ = try await client.shown("CFG.GET", "101", "person", "7")
                let clients = try await bench.write("CLIENT", "LIST").string ?? ""
                let line = try #require(clients.split(separator: "\n").first(where: { $0.contains("name=\(name) ") }))
                let id = try #require(line.split(separator: " ").first).dropFirst(3)
                try await bench.write("CLIENT", "KILL", "ID", String(id))
                try await bench.write("HSET", "cfg:{101}:person:7", "user_name", "u\(round)")
                try await bench.eventually {
                    try await client.shown("CFG.GET", "101", "person", "7").contains("u\(round)")
                }
            }
            await client.close()
        }
    }

    @Test("A Redis that stands still, and one that is gone: memory goes on serving, all else is refused at once")
    func away() async throws {
        try await ReadBench.with(linkTimeout: .seconds(5)) { bench in
            let client = try await bench.client()
            try await bench.write("HSET", "cfg:{101}:person:7", "user_name", "alice")
            bench.states.set("projection provisioning", ComponentState("projecting", .working))
            bench.progress.captured(upTo: .zero)
            bench.states.set("capture", ComponentState("streaming", .working))
            bench.progress.reached(Position(number: 3 << 52 | 100))
            #expect(try await client.shown("CFG.GET", "Acme", "person", "7").contains("alice"))
            #expect(
                try await client.shown("CFG.STATE")
                    == "[\"region\", \"eu-west\", \"position\", \"13510798882111588\", \"history\", 3, \"state\", "
                    + "\"fresh\", \"reason\", (nil), \"postgres\", \"reachable\", \"secondsBehind\", 0, "
                    + "\"staleSince\", (nil)]")
            let away = "UNAVAILABLE the region's Redis does not answer"
            await bench.server.pause()
            #expect(try await client.shown("CFG.GET", "Acme", "person", "7").contains("alice"))
            #expect(try await client.shown("CFG.GET", "Acme", "person", "8") == away)
            try await bench.eventually {
                bench.cache.session == nil && bench.states.state(of: TrackedCache.component)?.name == "away"
            }
            for words in [
                ["CFG.GET", "101", "person", "8"], ["CFG.MGET", "101", "person", "7"],
                ["CFG.FIND", "101", "person", "user_name", "x"], ["CFG.LIST", "101", "person"],
                ["CFG.TYPES", "101"], ["CFG.GET", "Nobody", "person", "7"],
            ] {
                await #expect(
                    throws: RedisError.server(code: "UNAVAILABLE", message: "the region's Redis does not answer")
                ) { try await client.send(RedisCommand(words)) }
            }
            #expect(try await client.shown("CFG.GET", "Acme", "person", "7").contains("alice"))
            #expect(try await client.shown("CFG.STATE").contains("\"state\", \"away\""))
            #expect(try await client.shown("CFG.STATE", "101").contains("\"tenant\", 101, \"changed\", (nil)"))
            await bench.server.resume()
            try await bench.tracks()
            let other = try await ReadBench.connect(to: bench.server.port)
            _ = try await other.send(RedisCommand("HSET", "cfg:{101}:person:7", "user_name", "bob")) as RedisReply
            try await bench.eventually {
                try await client.shown("CFG.GET", "Acme", "person", "7").contains("bob")
            }
            await other.close()

            await bench.server.kill()
            try await bench.eventually { bench.cache.session == nil }
            #expect(try await client.shown("CFG.GET", "Acme", "person", "7").contains("bob"))
            #expect(try await client.shown("CFG.GET", "Acme", "person", "8") == away)
            try await bench.server.start()
            // It kept nothing.
            try await bench.eventually {
                try await client.shown("CFG.GET", "Acme", "person", "7").hasPrefix("UNAVAILABLE nothing")
            }
            await client.close()
        }
    }

    @Test("While many read and somebody writes, what was written last is what is read in the end")
    func storm() async throws {
        try await ReadBench.with { bench in
            let rounds = 400
            try await withThrowingTaskGroup(of: Void.self) { group in
                for reader in 0..<4 {
                    group.addTask {
                        let client = try await bench.client()
                        for round in 0..<rounds {
                            _ = try await client.shown("CFG.GET", "101", "person", "\((round + reader) % 5)")
                        }
                        await client.close()
                    }
                }
                group.addTask {
                    for round in 0..<rounds {
                        try await bench.write("HSET", "cfg:{101}:person:\(round % 5)", "round", "\(round)")
                        if round % 97 == 96 { try await bench.write("DEL", "cfg:{101}:person:\(round % 5)") }
                    }
                }
                try await group.waitForAll()
            }
            let client = try await bench.client()
            for id in 0..<5 {
                let held = try await bench.write("HGETALL", "cfg:{101}:person:\(id)").description
                try await bench.eventually {
                    try await client.shown("CFG.GET", "101", "person", "\(id)") == (held == "[]" ? "(nil)" : held)
                }
            }
            #expect(bench.cache.memory.usage.hits > 0)
            await client.close()
        }
    }

    @Test("Who has seen something of a change sees nothing from before it, be it from memory or from Redis")
    func inOrder() async throws {
        try await ReadBench.with { bench in
            let objects = 400
            let script = "for id = 1, \(objects) do redis.call('HSET', 'cfg:{101}:note:' .. id, 'n', ARGV[1]) end"
            try await bench.write("EVAL", script, "0", "0")
            let isOver = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for reader in 0..<3 {
                    group.addTask {
                        let client = try await bench.client()
                        var order = Array(1...objects)
                        var last = 0
                        while !isOver.isSet {
                            // Each reader asks for all of them, at once, in another order.
                            order.append(contentsOf: order.prefix(37 * (reader + 1)))
                            order.removeFirst(37 * (reader + 1))
                            let results = await client.pipeline(
                                order.map { RedisCommand("CFG.GET", "101", "note", "\($0)") })
                            for result in results {
                                let number = try #require(try result.get()[1]?.string.flatMap { Int($0) })
                                #expect(number >= last)
                                last = max(last, number)
                            }
                        }
                        await client.close()
                    }
                }
                var change = 0
                while change < 300 || bench.cache.memory.usage.hits == 0 {
                    change += 1
                    guard !Task.isCancelled else { break }
                    try await bench.write("EVAL", script, "0", "\(change)")
                }
                isOver.set()
                try await group.waitForAll()
            }
        }
    }

    @Test("More objects than there is room for are read all the same")
    func bounded() async throws {
        try await ReadBench.with(memory: 64 << 10) { bench in
            let client = try await bench.client()
            let value = String(repeating: "x", count: 500)
            for id in 0..<300 { try await bench.write("HSET", "cfg:{101}:note:\(id)", "text", value) }
            for id in 0..<600 {
                let reply = try await client.shown("CFG.GET", "101", "note", "\(id % 300)")
                #expect(reply == "[\"text\", \"\(value)\"]")
            }
            let usage = bench.cache.memory.usage
            #expect(usage.bytes <= 64 << 10 && usage.objects > 20 && usage.objects < 300)
            let information = try await client.send(RedisCommand("INFO", "cache")) as RedisReply
            #expect(information.string?.contains("cache_limit_bytes:65536") == true)
            await client.close()
        }
    }

    @Test("A read that began before a new session is not remembered: nobody would say when it changes")
    func sessionsChange() async {
        let tracking = StandInTracking()
        let memory = ObjectMemory(limit: 1 << 20)
        let cache = TrackedCache(
            tracking: tracking, memory: memory, states: ComponentStates(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await cache.run() }
            let hasBegun = await holds { cache.session != nil }
            #expect(hasBegun)
            let fill = memory.beginFill(of: ObjectAddress(tenant: 1, type: "person", id: "7"))
            tracking.end()
            let hasChanged = await holds { cache.session?.serverRun == "2" }
            #expect(hasChanged)
            memory.finish(fill, with: .null, size: 0)
            #expect(memory.usage.objects == 0)
            group.cancelAll()
        }
        #expect(cache.session == nil)
    }

    @Test("Word of changes counts while the connection that reads is there: of what it read nobody is told after it")
    func readingIsGone() async {
        let cache = TrackedCache(
            tracking: StandInTracking(), memory: ObjectMemory(limit: 1 << 20), states: ComponentStates(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await cache.run() }
            let hasBegun = await holds { cache.session != nil }
            #expect(hasBegun)
            // The stand-in hears, and reads nothing.
            await #expect(throws: StoreFailure.unreachable("stand-in")) { try await cache.heard() }
            group.cancelAll()
        }
    }

    /// Whether `condition` comes to hold, at most within a minute.
    private func holds(_ condition: () -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while !condition() {
            guard ContinuousClock.now < deadline else { return false }
            try? await Task.sleep(for: .milliseconds(1))
        }
        return true
    }
}

private final class Flag: Sendable {
    private let value = Mutex(false)

    var isSet: Bool { value.withLock { $0 } }

    func set() { value.withLock { $0 = true } }
}

/// How often more a server is to be emptied while it is asked for a page of a list.
private final class EmptiedWhileListed: Sendable {
    private let left = Mutex(0)

    var isOver: Bool { left.withLock { $0 == 0 } }

    func next(_ count: Int) { left.withLock { $0 = count } }

    /// Whether it is to be emptied now.
    func take() -> Bool {
        left.withLock { left in
            guard left > 0 else { return false }
            left -= 1
            return true
        }
    }
}

/// Says that everything is gone where `emptied` says so, which no test could do in time.
private struct EmptyingTracking: CacheTracking {
    private struct Session: CacheSession {
        let session: any CacheSession
        let isAsked: @Sendable () -> Void

        var serverRun: String { session.serverRun }

        func send(_ commands: [RedisCommand]) async -> SentCommands {
            let sent = await session.send(commands)
            if commands.contains(where: { String(buffer: $0.head).contains("SSCAN") }) { isAsked() }
            return sent
        }

        func heard() async throws(StoreFailure) { try await session.heard() }

        func ended() async -> StoreFailure { await session.ended() }
    }

    let tracking: any CacheTracking
    let emptied: EmptiedWhileListed

    func open(
        onInvalidation: @escaping @Sendable (CacheInvalidation) -> Void
    ) async throws(StoreFailure) -> any CacheSession {
        let session = try await tracking.open(onInvalidation: onInvalidation)
        return Session(session: session) { [emptied] in
            if emptied.take() { onInvalidation(.all) }
        }
    }
}

/// Sessions that end when a test says so, which no server does at an instant.
private final class StandInTracking: CacheTracking {
    private struct Session: CacheSession {
        let serverRun: String
        let end: AsyncStream<Void>

        func send(_ commands: [RedisCommand]) async -> SentCommands {
            SentCommands { commands.map { _ in .failure(.unreachable("stand-in")) } }
        }

        func heard() async throws(StoreFailure) {}

        func ended() async -> StoreFailure {
            for await _ in end {}
            return .unreachable("stand-in")
        }
    }

    private let ends = Mutex<[AsyncStream<Void>.Continuation]>([])

    func open(
        onInvalidation: @escaping @Sendable (CacheInvalidation) -> Void
    ) async throws(StoreFailure) -> any CacheSession {
        let (stream, end) = AsyncStream.makeStream(of: Void.self)
        let number = ends.withLock { ends in
            ends.append(end)
            return ends.count
        }
        return Session(serverRun: "\(number)", end: stream)
    }

    /// Ends the session there is.
    func end() { ends.withLock { $0.last }?.finish() }
}
