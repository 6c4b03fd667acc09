import Journal
import NIOCore
import NIOPosix
import PortFixtures
import Projection
import RESP
import RedisClient
import ServerFixtures
import Testing
import VoiceListener

@testable import Worker

@Suite("The feed's connection to Redis", .serialized, .timeLimit(.minutes(5))) struct VoiceTailTests {
    private static let journal = JournalName.voice(tenant: "101", origin: "us-east")

    /// Runs `body` with a tail, and a connection to the same server.
    private static func with(
        _ messages: LoggedMessages = LoggedMessages(),
        _ body: @escaping @Sendable (RedisServer, RedisVoiceTail, RedisConnection) async throws -> Void
    ) async throws {
        try await RedisServer.with { redis in
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let endpoint = RedisEndpoint.patient(redis.port)
            let client = RedisClient(endpoint: endpoint, name: "client", eventLoop: loop)
            let server = try await RedisConnection.connect(to: endpoint, name: "test", on: loop)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await client.run() }
                tasks.addTask {
                    _ = try await client.connection()
                    let tail = try await RedisVoiceTail.open(
                        endpoint: endpoint, name: "tail", eventLoop: loop, client: client, logger: messages.logger)
                    defer { tail.close() }
                    try await body(redis, tail, server)
                }
                // The client runs until it is cancelled.
                try await tasks.next()
                tasks.cancelAll()
            }
            await server.close()
        }
    }

    private static func read(_ tail: RedisVoiceTail, behind id: UInt64 = 0, waits: Bool = false) -> SentRead {
        tail.send(behind: [JournalCursor(journal, behind: EntryID(first: id, second: 0))], waits: waits)
    }

    @Test("a read is sent before it is waited for, and finds what comes then")
    func waits() async throws {
        try await Self.with { _, tail, server in
            var found: [JournalRead] = []
            var last: UInt64 = 0
            // Where writing takes longer than a read waits, that has nothing.
            while found.isEmpty, last < 10 {
                let sent = Self.read(tail, behind: last, waits: true)
                last += 1
                _ = try await server.send(RedisCommand("XADD", Self.journal.key, "\(last)-0", "n", "1"))
                found = try await sent.reads()
            }
            #expect(found.map(\.journal) == [Self.journal])
            #expect(found.first?.batch.last == EntryID(first: last, second: 0))
            #expect(try await Self.read(tail, behind: last).reads().isEmpty)
        }
    }

    @Test("a read that waits is interrupted by name, and the connection goes on")
    func interrupted() async throws {
        try await Self.with { _, tail, server in
            let sent = Self.read(tail, waits: true)
            async let found = sent.reads()
            await tail.interrupt()
            let nothing = try await found
            #expect(nothing.isEmpty)
            let calls = try await server.send(RedisCommand("INFO", "commandstats"))
            #expect(calls.string?.contains("cmdstat_client|unblock") == true)
            _ = try await server.send(RedisCommand("XADD", Self.journal.key, "1-0", "n", "1"))
            #expect(try await Self.read(tail, waits: true).reads().count == 1)
        }
    }

    @Test("a server that refuses to end reads is asked once for each, and operators are told once")
    func interruptionRefused() async throws {
        let messages = LoggedMessages()
        try await Self.with(messages) { _, tail, server in
            _ = try await server.send(RedisCommand("ACL", "SETUSER", "default", "-client|unblock"))
            for last: UInt64 in 0...1 {
                let sent = Self.read(tail, behind: last, waits: true)
                async let found = sent.reads()
                await tail.interrupt()
                _ = try await server.send(RedisCommand("XADD", Self.journal.key, "\(last + 1)-0", "n", "1"))
                _ = try await found
            }
            let calls = try await server.send(RedisCommand("INFO", "commandstats")).string ?? ""
            let unblock = calls.split(separator: "\r\n").first { $0.hasPrefix("cmdstat_client|unblock:") }
            #expect(unblock?.contains("rejected_calls=2,") == true, "\(calls)")
            #expect(messages.count(of: "Redis does not end reads that wait: journals are followed late") == 1)
        }
    }

    @Test("a server that is busy with a script is asked again, and operators are not told that it refuses")
    func interruptedWhileBusy() async throws {
        let messages = LoggedMessages()
        try await Self.with(messages) { redis, tail, server in
            let other = try await RedisConnection.connect(
                to: .patient(redis.port), name: "other", on: server.eventLoop)
            _ = try await server.send(RedisCommand("CONFIG", "SET", "busy-reply-threshold", "1"))
            var refusals: Substring?
            // The script may be over before the server is asked to end the read.
            for _ in 1...20 where refusals == nil {
                let sent = Self.read(tail, waits: true)
                let script: EventLoopFuture<RedisReply> = server.send(RedisCommand("EVAL", "while true do end", "0"))
                while await !Self.isBusy(other) { await Task.yield() }
                async let interrupted: Void = tail.interrupt()
                for _ in 1...100 { _ = await Self.isBusy(other) }
                _ = try await other.send(RedisCommand("SCRIPT", "KILL"))
                _ = try? await sent.reads()
                await interrupted
                _ = try? await script.get()
                let calls = try await server.send(RedisCommand("INFO", "commandstats")).string ?? ""
                refusals = calls.split(separator: "\r\n").first {
                    $0.hasPrefix("cmdstat_client|unblock:") && !$0.contains("rejected_calls=0,")
                }
            }
            #expect(refusals != nil)
            #expect(messages.count(of: "Redis does not end reads that wait: journals are followed late") == 0)
            await other.close()
        }
    }

    private static func isBusy(_ server: RedisConnection) async -> Bool {
        do throws(RedisError) {
            _ = try await server.send(RedisCommand("PING"))
            return false
        } catch {
            guard case .server("BUSY", _) = error else { return false }
            return true
        }
    }

    @Test("an answer that is too large is asked for again in less")
    func tooLarge() async throws {
        try await Self.with { _, tail, server in
            let script = "for i = 1, 68 do redis.call('XADD', KEYS[1], i .. '-0', 'n', string.rep('x', 1250000)) end"
            _ = try await server.send(RedisCommand("EVAL", script, "1", Self.journal.key))
            #expect(try await Self.read(tail).reads().isEmpty)
            #expect(try await Self.read(tail).reads().first?.batch.count == 4)
        }
    }

    @Test("entries behind a trim that has overtaken its cursor are not found by who reads a journal first, or again")
    func trimmed() async throws {
        try await Self.with { _, tail, server in
            let (key, meta) = (Self.journal.key, Self.journal.metaKey)
            let stale = StoreFailure.server(code: "STALE", message: "\(key) was trimmed beyond where it is read")
            _ = try await server.send(RedisCommand("HSET", meta, "floor", "7-0"))
            // Nothing is there that would not follow, yet.
            #expect(try await Self.read(tail, behind: 6).reads().isEmpty)
            _ = try await server.send(RedisCommand("XADD", key, "9-0", "n", "9"))
            await #expect(throws: stale) { try await Self.read(tail, behind: 6).reads() }
            #expect(try await Self.read(tail, behind: 7).reads().count == 1)
            // Who has read on all the while has had what is trimmed now.
            _ = try await server.send(RedisCommand("HSET", meta, "floor", "8-0"))
            #expect(try await Self.read(tail, behind: 7).reads().count == 1)
            let other = JournalName.voice(tenant: "102", origin: "us-east")
            #expect(try await tail.send(behind: [JournalCursor(other, behind: .zero)], waits: false).reads().isEmpty)
            await #expect(throws: stale) { try await Self.read(tail, behind: 7).reads() }
        }
    }

    @Test("a connection that is lost or closed fails what waits, and what is sent after")
    func lost() async throws {
        try await Self.with { redis, tail, _ in
            let sent = Self.read(tail, waits: true)
            await redis.kill()
            await #expect(throws: StoreFailure.self) { try await sent.reads() }
            await #expect(throws: StoreFailure.self) { try await Self.read(tail).reads() }
        }
        try await Self.with { _, tail, _ in
            let sent = Self.read(tail, waits: true)
            tail.close()
            await #expect(throws: StoreFailure.self) { try await sent.reads() }
            await #expect(throws: StoreFailure.self) { try await Self.read(tail).reads() }
        }
    }
}
