import Logging
import NIOPosix
import Observability
import PortFixtures
import Projection
import RESP
import RESPServer
import RedisClient
import Tenants
import Testing
import Worker

@testable import ConfigListener

@Suite("Reads that wait while the port closes", .timeLimit(.minutes(5)))
struct DrainedReadsTests {
    private static let refusal = RedisError.server(code: "UNAVAILABLE", message: "the server is closing")
    private static let waiting = ["CFG.GET", "101", "person", "7", "AT", "100-5", "TIMEOUT", "60000"]

    @Test("Who waits for a token is told that it does")
    func token() async throws {
        try await withPort { served, tokens in
            let client = try await connect(to: served)
            async let results = client.pipeline([RedisCommand(Self.waiting)])
            try await untilAsked(tokens)
            await served.shutDown()
            let reply = try #require(await results.last)
            #expect(throws: Self.refusal) { try reply.get() }
            await client.close()
        }
    }

    @Test("So is who waits in a transaction, the rest of which is answered")
    func transaction() async throws {
        try await withPort { served, tokens in
            let client = try await connect(to: served)
            let commands = [["MULTI"], Self.waiting, ["CFG.DESCRIBE", "note"], Self.waiting, ["EXEC"]]
            async let results = client.pipeline(commands.map { RedisCommand($0) })
            try await untilAsked(tokens)
            await served.shutDown()
            let replies = Array(try #require(await results.last).get().elements)
            #expect(replies.map(\.error) == [Self.refusal, nil, Self.refusal])
            await client.close()
        }
    }

    /// A port of reads that have no Redis, and tokens that nobody ever comes to.
    private func withPort(
        _ body: @escaping @Sendable (ServedPort, StandInTokens) async throws -> Void
    ) async throws {
        let tokens = StandInTokens()
        tokens.answer(.timedOut, whenCancelled: true)
        let states = ComponentStates()
        let tracking = RedisCacheTracking(
            endpoint: .patient(1), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let cache = TrackedCache(
            tracking: tracking, memory: ObjectMemory(limit: 1 << 20), states: states,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let reads = ConfigReads(
            region: "eu-west", cache: cache, tenants: TenantLookup(store: cache), catalog: .reads, waiting: tokens,
            progress: ProvisioningProgress(), states: states)
        let table = CommandTable(
            reads.commands,
            transaction: { invocation in
                var transaction = ReadTransaction(invocation, within: .seconds(60))
                return await transaction.perform()
            })
        try await ServedPort.with(table, accounts: AccountStore(.reads), { $0.drainTime = .seconds(60) }) { served in
            try await body(served, tokens)
        }
    }

    private func connect(to served: ServedPort) async throws -> RedisConnection {
        try await RedisConnection.connect(
            to: .patient(served.port), name: "test", on: MultiThreadedEventLoopGroup.singleton.next())
    }

    private func untilAsked(_ tokens: StandInTokens) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while tokens.asked.isEmpty {
            try #require(ContinuousClock.now < deadline, "nobody asked for the token")
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}
