import NIOCore
import NIOPosix
import PortFixtures
import Projection
import RESP
import RESPServer
import RedisClient
import Synchronization
import Tenants
import Testing

@testable import ConfigListener

@Suite("Transactions that only read", .timeLimit(.minutes(5)))
struct ReadTransactionTests {
    private static let documentation = Command.Documentation("Reads.", group: "test")
    private static let small = Command(
        "T.SMALL", arity: 1, flags: [.readonly], permission: .read, documentation: documentation,
        handler: .immediate { _ in .ok })

    @Test("replies that have more bytes than a transaction's may are refused, and those behind them not read")
    func large() async throws {
        let read = Mutex(0)
        let large = Command(
            "T.LARGE", arity: 1, flags: [.readonly], permission: .read, documentation: Self.documentation,
            handler: .asynchronous { _ in
                read.withLock { $0 += 1 }
                return .bulk(ByteBuffer(repeating: 0x78, count: ReadTransaction.replyBytes / 4))
            })
        try await serve([large, Self.small]) { connection in
            let words = ["T.LARGE", "T.SMALL", "T.LARGE", "T.LARGE", "T.LARGE", "T.SMALL", "T.LARGE"]
            let replies = try await transact(words, connection).elements.map { $0 }
            let refusal = "LIMIT the replies of the transaction have more than 16 MiB; read less at once"
            #expect(replies.map { $0.error.map { "\($0)" } } == [nil, nil, nil, nil, refusal, refusal, refusal])
            #expect(replies[1].string == "OK" && replies[3].bytes?.readableBytes == ReadTransaction.replyBytes / 4)
            #expect(read.withLock { $0 } == 4)
        }
    }

    @Test("reads that have not begun in time are refused")
    func late() async throws {
        try await serve([Self.small], readingTime: .zero) { connection in
            let replies = try await transact(["T.SMALL", "T.SMALL"], connection).elements.map { $0.error }
            let refusal = RedisError.server(
                code: "TIMEOUT", message: "the reads before this one in the transaction took too long")
            #expect(replies == [refusal, refusal])
        }
    }

    @Test("where the client is gone nothing more is read")
    func gone() async throws {
        let (began, begin) = AsyncStream.makeStream(of: Void.self)
        let (ended, end) = AsyncStream.makeStream(of: Bool.self)
        let reads = Mutex(0)
        let waiting = Command(
            "T.WAIT", arity: 1, flags: [.readonly], permission: .read, documentation: Self.documentation,
            handler: .asynchronous { _ in
                reads.withLock { $0 += 1 }
                begin.yield()
                try? await Task.sleep(for: .seconds(600))
                end.yield(Task.isCancelled)
                return .ok
            })
        try await serve([waiting]) { connection in
            async let reply = transact(["T.WAIT", "T.WAIT", "T.WAIT"], connection)
            for await _ in began { break }
            await connection.close()
            for await isCancelled in ended {
                #expect(isCancelled)
                break
            }
            let answer = try? await reply
            #expect(answer == nil)
            #expect(reads.withLock { $0 } == 1)
        }
    }

    private func transact(_ words: [String], _ connection: RedisConnection) async throws -> RedisReply {
        let commands = (["MULTI"] + words + ["EXEC"]).map { RedisCommand($0) }
        let results = await connection.pipeline(commands)
        return try #require(results.last).get()
    }

    /// A port of these commands.
    private func serve(
        _ commands: [Command], readingTime: Duration = .seconds(60),
        _ body: @escaping @Sendable (RedisConnection) async throws -> Void
    ) async throws {
        let writes = ConfigWrites(
            database: NoWriter(), tenants: TenantLookup(store: NoStore()), catalog: .reads, readingTime: readingTime)
        let table = CommandTable(writes.commands + commands, transaction: { await writes.transaction($0) })
        let accounts = AccountStore(Accounts([], anonymous: .everywhere))
        try await ServedPort.with(table, accounts: accounts) { served in
            let connection = try await RedisConnection.connect(
                to: .patient(served.port), name: "tests", on: MultiThreadedEventLoopGroup.singleton.next())
            try await body(connection)
            await connection.close()
        }
    }
}
