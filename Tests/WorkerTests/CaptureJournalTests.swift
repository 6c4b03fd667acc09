import Capture
import Journal
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing
import Worker

/// Capture's own journal on a real Redis.
private struct JournalBench {
    static let name = JournalName.provisioning(origin: "east")

    let server: RedisServer
    let journal: RedisCaptureJournal

    static func with(settings: [String] = [], _ body: (JournalBench) async throws -> Void) async throws {
        try await RedisServer.with(settings: settings) { server in
            let journal = RedisCaptureJournal(
                region: "east", endpoint: server.patientEndpoint,
                eventLoop: MultiThreadedEventLoopGroup.singleton.any())
            try await body(JournalBench(server: server, journal: journal))
            await journal.close()
        }
    }

    /// Entries `previous + 1` to `last`, which close a transaction that ends where the last one's ID says.
    func batch(_ previous: UInt64, _ last: UInt64) -> CaptureBatch? {
        var builder = EntryBatchBuilder(previous: Self.id(previous))
        for number in (previous + 1)...last {
            builder.append(id: Self.id(number), fields: 1) { strings in
                strings.append("n")
                strings.append("\(number)")
            }
        }
        guard let entries = builder.batch() else { return nil }
        return CaptureBatch(entries, position: Position(number: last), transactions: 1, committedAt: nil)
    }

    static func id(_ number: UInt64) -> EntryID { number == 0 ? .zero : EntryID(first: number, second: 1) }

    /// The refusal of an append; nil when it was taken.
    func append(_ batch: CaptureBatch?, birth: String) async throws -> Refusal? {
        let batch = try #require(batch)
        let result = await withCheckedContinuation { continuation in
            journal.append(batch, birth: birth) { continuation.resume(returning: $0) }
        }
        if case .failure(let refusal) = result { return refusal }
        return nil
    }

    /// The same journal, opened by a user without these rights.
    func open(without rights: String) async throws -> JournalState {
        try await run("ACL", "SETUSER", "capture", "reset", "on", ">secret", "~*", "+@all", rights)
        var endpoint = server.patientEndpoint
        endpoint.username = "capture"
        endpoint.password = "secret"
        let journal = RedisCaptureJournal(
            region: "east", endpoint: endpoint, eventLoop: MultiThreadedEventLoopGroup.singleton.any())
        do {
            let state = try await journal.open()
            await journal.close()
            return state
        } catch {
            await journal.close()
            throw error
        }
    }

    @discardableResult
    func run(_ words: String...) async throws -> RedisReply {
        let connection = try await RedisConnection.connect(
            to: server.patientEndpoint, name: "plain", on: MultiThreadedEventLoopGroup.singleton.any())
        do throws(RedisError) {
            let reply: RedisReply = try await connection.send(RedisCommand(words))
            await connection.close()
            return reply
        } catch {
            await connection.close()
            throw error
        }
    }

    func meta() async throws -> [String?] {
        try await run("HMGET", Self.name.metaKey, "last", "position", "count").elements.map(\.string)
    }

    func loads() async throws -> String? {
        let lines = try await run("INFO", "commandstats").string ?? ""
        return lines.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_function|load:") }
            .flatMap { $0.split(separator: ",").first?.split(separator: "=").last.map(String.init) }
    }

    /// The server's numbers for capture's connections.
    func clients() async throws -> [Substring] {
        let list = try await run("CLIENT", "LIST").string ?? ""
        return list.split(whereSeparator: \.isNewline).filter { $0.contains("name=regionsync-capture") }
            .compactMap { $0.split(separator: " ").first }
    }

    /// Opens again and again until the journal answers.
    func reopened() async throws -> JournalState {
        while true {
            if let state = try? await journal.open() { return state }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

/// Few entries go through the function, many through the transaction: both must hold to the same contract.
private let sizes: [UInt64] = [1, 100]

@Suite("Capture's journal on a real Redis", .serialized, .timeLimit(.minutes(4)))
struct CaptureJournalTests {
    @Test("a user without transactions is refused before anything is written")
    func requiresTransactions() async throws {
        try await JournalBench.with { bench in
            for right in ["multi", "exec"] {
                await #expect(throws: Refusal.self, "\(right)") { try await bench.open(without: "-\(right)") }
            }
            _ = try await bench.open(without: "-wait")
        }
    }

    @Test("the newest history is what is projected, stands above a declaration of this region, or is reserved")
    func newestHistory() async throws {
        try await JournalBench.with { bench in
            #expect(await bench.journal.newestHistory() == nil)
            _ = try await bench.journal.open()
            #expect(await bench.journal.newestHistory() == 0)
            try await bench.run("HSET", "rs:{_}:projection", "provisioning", "\(UInt64(2) << 52 + 7)")
            #expect(await bench.journal.newestHistory() == 2)
            try await bench.run("HSET", "rs:{_}:projection", "down:east", "3 17-0", "down:west", "9 17-0")
            #expect(await bench.journal.newestHistory() == 4)
            try await bench.run("SET", "rs:{_}:reserved-history", "5")
            #expect(await bench.journal.newestHistory() == 5)
            try await bench.run("SET", "rs:{_}:reserved-history", "6 a1b2")
            #expect(await bench.journal.newestHistory() == 6)
            try await bench.run("SET", "rs:{_}:reserved-history", "none")
            #expect(await bench.journal.newestHistory() == 4)
        }
    }

    @Test("entries and position move together", arguments: sizes)
    func appends(size: UInt64) async throws {
        try await JournalBench.with { bench in
            let birth = try await bench.journal.open().birth
            #expect(try await bench.append(bench.batch(0, size), birth: birth) == nil)
            #expect(try await bench.meta() == ["\(size)-1", "\(size)", "\(size)"])
            #expect(try await bench.append(bench.batch(size, 2 * size), birth: birth) == nil)
            let state = try await bench.journal.open()
            #expect(state.last == JournalBench.id(2 * size))
            #expect(state.position == Position(number: 2 * size))
        }
    }

    @Test("refusals are the same, and move nothing", arguments: sizes)
    func refuses(size: UInt64) async throws {
        try await JournalBench.with { bench in
            let birth = try await bench.journal.open().birth
            _ = try await bench.append(bench.batch(0, size), birth: birth)
            let next = bench.batch(size, 2 * size)
            let gap = bench.batch(size + 1, 2 * size + 1)
            #expect(try await bench.append(gap, birth: birth) == .cursor(last: JournalBench.id(size)))
            #expect(try await bench.append(next, birth: "other") == .fenced)
            try await bench.run("CONFIG", "SET", "maxmemory", "1")
            guard case .unavailable(let reason) = try await bench.append(next, birth: birth) else {
                Issue.record("not refused for want of memory")
                return
            }
            #expect(reason.hasPrefix("OOM"))
            try await bench.run("CONFIG", "SET", "maxmemory", "0")
            try await bench.run("XADD", JournalBench.name.key, "\(size)-7", "foreign", "1")
            #expect(try await bench.append(next, birth: birth) == .forked)
            try await bench.run("HSET", JournalBench.name.metaKey, "closed", "yes")
            #expect(try await bench.append(next, birth: birth) == .fenced)
            #expect(try await bench.meta() == ["\(size)-1", "\(size)", "\(size)"])
        }
    }

    @Test("a server killed with a window of batches on its way holds whole batches, each with its position")
    func survivesKill() async throws {
        try await JournalBench.with(settings: ["appendonly yes", "appendfsync always"]) { bench in
            let birth = try await bench.journal.open().birth
            let size: UInt64 = 20
            let count: UInt64 = 200
            let (answers, feed) = AsyncStream<(UInt64, Result<Void, Refusal>)>.makeStream()
            for number in 0..<count {
                let batch = try #require(bench.batch(number * size, (number + 1) * size))
                bench.journal.append(batch, birth: birth) { feed.yield((number + 1, $0)) }
            }
            var taken: UInt64 = 0
            var left = count
            for await (number, result) in answers {
                left -= 1
                if case .success = result { taken = number }
                if number == 20 { await bench.server.kill() }
                if left == 0 { break }
            }
            try await bench.server.start()
            let state = try await bench.reopened()
            #expect(state.birth == birth)
            #expect(state.last.first >= taken * size && state.last.first % size == 0)
            #expect(state.position == Position(number: state.last.first))
            #expect(try await bench.run("XLEN", JournalBench.name.key).integer == Int64(state.last.first))
            let next = bench.batch(state.last.first, state.last.first + size)
            #expect(try await bench.append(next, birth: birth) == nil)
        }
    }

    @Test("a meta that a mirror made first is that of an empty journal", arguments: sizes)
    func openedByMirror(size: UInt64) async throws {
        try await JournalBench.with { bench in
            try await bench.run("HSET", JournalBench.name.metaKey, "birth", "east-1", "floor", "0-0")
            let state = try await bench.journal.open()
            #expect(state == JournalState(birth: "east-1", last: .zero, position: nil))
            #expect(try await bench.append(bench.batch(0, size), birth: state.birth) == nil)
            #expect(try await bench.journal.open().last == JournalBench.id(size))
        }
    }

    @Test("functions are loaded once a connection, and again when they are gone")
    func loadsOnce() async throws {
        try await JournalBench.with { bench in
            for _ in 0..<5 { _ = try await bench.journal.open() }
            #expect(try await bench.loads() == "1")
            try await bench.run("FUNCTION", "FLUSH")
            await #expect(throws: Refusal.self) { try await bench.journal.open() }
            _ = try await bench.reopened()
            #expect(try await bench.loads() == "2")
        }
    }

    @Test("a server that has become a replica is left: the next connection resolves its name anew", arguments: sizes)
    func leavesReplica(size: UInt64) async throws {
        try await JournalBench.with { bench in
            let birth = try await bench.journal.open().birth
            let before = try await bench.clients()
            #expect(before.count == 1)
            try await bench.run("REPLICAOF", "127.0.0.1", "1")
            guard case .unavailable(let reason) = try await bench.append(bench.batch(0, size), birth: birth) else {
                Issue.record("not refused by a replica")
                return
            }
            #expect(reason.hasPrefix("READONLY"))
            try await bench.run("REPLICAOF", "NO", "ONE")
            _ = try await bench.reopened()
            while try await bench.clients().count > 1 { try await Task.sleep(for: .milliseconds(20)) }
            #expect(try await bench.clients() != before)
        }
    }
}
