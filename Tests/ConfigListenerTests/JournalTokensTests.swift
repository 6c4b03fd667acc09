import Journal
import Logging
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Synchronization
import Testing

@testable import ConfigListener
@testable import Projection
@testable import Worker

@Suite("Tokens that are waited for", .timeLimit(.minutes(5)))
struct JournalTokensTests {
    private static let old = UInt64(1) << 52
    private static let new = UInt64(2) << 52

    @Test("A write is visible when the transaction that its token names is projected")
    func visible() async throws {
        try await TokenBench.with { bench in
            let token = WriteToken(after: Position(number: 15), xid: 20)
            async let verdict = bench.tokens.wait(for: token, within: .seconds(60))
            try await bench.write(10, "begin-snapshot")
            try await bench.write(20, "put 101 person 1 {}")
            #expect(await verdict == .visible)
            let nobodys = WriteToken(after: Position(number: 15), xid: 21)
            #expect(await bench.tokens.wait(for: nobodys, within: .milliseconds(100)) == .timedOut)
        }
    }

    @Test("While nobody projects a write is not said to be visible, though it was; it is when somebody does again")
    func nobodyProjects() async throws {
        try await TokenBench.with(projecting: false) { bench in
            let first = Task { await bench.projection().run() }
            defer { first.cancel() }
            try await bench.write(10, "begin-snapshot")
            try await bench.write(20, "put 101 person 1 {}")
            let token = WriteToken(after: Position(number: 15), xid: 20)
            #expect(await bench.tokens.wait(for: token, within: .seconds(60)) == .visible)
            first.cancel()
            await first.value
            #expect(bench.progress.completed == Position(number: 20) && bench.progress.standing == nil)
            #expect(await bench.tokens.wait(for: token, within: .milliseconds(100)) == .timedOut)
            async let verdict = bench.tokens.wait(for: token, within: .seconds(60))
            let second = Task { await bench.projection().run() }
            defer { second.cancel() }
            #expect(await verdict == .visible)
        }
    }

    @Test("A write of an older history is visible when all that PostgreSQL still had of it is here, not before")
    func olderHistory() async throws {
        try await TokenBench.with { bench in
            try await bench.write(Self.old + 50, "begin-snapshot", "put 101 person 1 {}")
            try await bench.projected(Self.old + 50)
            let token = WriteToken(after: Position(number: Self.old + 60), xid: 9)
            // The region that captures is lost. The next one announces that changes were missed, and names none.
            try await bench.write(Self.new + 5, "begin-snapshot due", to: ScriptedJournals.west)
            try await bench.projected(Self.new + 5)
            #expect(await bench.tokens.wait(for: token, within: .milliseconds(100)) == .unknown)
            async let verdict = bench.tokens.wait(for: token, within: .seconds(60))
            // Its own cache has them; whether this one has is still looked at.
            try await bench.write(Self.new + 9, "begin-snapshot diff", "put 101 person 2 {}", to: ScriptedJournals.west)
            try await bench.projected(Self.new + 9)
            #expect(await bench.tokens.wait(for: token, within: .milliseconds(100)) == .unknown)
            try await bench.tell("HDEL", ProjectionKeys.trailing, Staleness.field)
            #expect(await verdict == .visible)
        }
    }

    @Test("A write that came with a snapshot, or that this copy never got, cannot be told from one that did not come")
    func noEntry() async throws {
        try await TokenBench.with { bench in
            try await bench.write(10, "begin-snapshot")
            let token = WriteToken(after: Position(number: 12), xid: 15)
            // The slot is lost while PostgreSQL takes writes.
            try await bench.write(20, "begin-snapshot due")
            try await bench.projected(20)
            #expect(await bench.tokens.wait(for: token, within: .milliseconds(100)) == .timedOut)
            async let verdict = bench.tokens.wait(for: token, within: .seconds(60))
            try await bench.write(30, "begin-snapshot diff", "put 101 person 1 {}")
            #expect(await verdict == .unknown)
            let later = WriteToken(after: Position(number: 35), xid: 40)
            #expect(await bench.tokens.wait(for: later, within: .milliseconds(100)) == .timedOut)
            try await bench.tell("HSET", ScriptedJournals.east.metaKey, CopyGap.field(in: "eu-west"), "3 36-2")
            #expect(await bench.tokens.wait(for: later, within: .seconds(60)) == .unknown)
        }
    }

    @Test("What was found of a token says nothing of a cache that was emptied since, until that has all again")
    func emptied() async throws {
        try await TokenBench.with { bench in
            try await bench.write(10, "begin-snapshot")
            try await bench.write(20, "put 101 person 1 {}")
            let token = WriteToken(after: Position(number: 15), xid: 20)
            #expect(await bench.tokens.wait(for: token, within: .seconds(60)) == .visible)
            // Until the first cursor is written an emptied Redis looks as the new one did.
            try await bench.until("the cursor is written") {
                try await bench.tell("HGET", ProjectionKeys.trailing, "provisioning").string == "20"
            }
            try await bench.tell("FLUSHALL")
            // What comes again of the journal begins behind the write.
            try await bench.tell("HSET", ScriptedJournals.east.metaKey, "floor", "25-1")
            try await bench.write(30, "put 101 person 2 {}")
            try await bench.projected(30)
            #expect(await bench.tokens.wait(for: token, within: .seconds(60)) == .unknown)
            try await bench.tell("HDEL", ProjectionKeys.trailing, Staleness.field)
            try await bench.until("nothing is amiss") { bench.progress.standing?.isWhole ?? false }
            #expect(await bench.tokens.wait(for: token, within: .seconds(60)) == .visible)
        }
    }

    @Test("A look that lost its connection, which others' reads may end, is repeated once while there is time")
    func lostConnection() async throws {
        try await TokenBench.with { bench in
            try await bench.write(10, "begin-snapshot")
            try await bench.write(20, "put 101 person 1 {}")
            try await bench.projected(20)
            let token = WriteToken(after: Position(number: 15), xid: 20)
            let cases: [(losses: Int, patience: Duration, verdict: TokenVerdict)] = [
                (1, .seconds(60), .visible), (2, .seconds(60), .unavailable), (1, .zero, .unavailable),
            ]
            for (losses, patience, verdict) in cases {
                let store = CountingStore(store: PromptRedisStore(client: bench.redis), losses: losses)
                let tokens = JournalTokens(
                    region: "eu-west", peers: ["us-east"], store: store, progress: bench.progress)
                #expect(await tokens.wait(for: token, within: patience) == verdict, "\(losses) in \(patience)")
            }
        }
    }

    @Test("A token that somebody made up has no more read than its time, and those who wait, are good for")
    func madeUp() async throws {
        try await TokenBench.with { bench in
            let last = UInt64(41 * CommitSearch.pageEntries)
            for position in 1...last { try await bench.write(position, to: ScriptedJournals.west) }
            try await bench.projected(last)
            let store = CountingStore(store: PromptRedisStore(client: bench.redis))
            let tokens = JournalTokens(
                region: "eu-west", peers: ["us-east"], store: store, progress: bench.progress)
            let madeUp = WriteToken(after: Position(number: 1), xid: 0)
            #expect(await tokens.wait(for: madeUp, within: .zero) == .timedOut)
            #expect(store.takeSent() == 1)
            // Who has time has all of them read.
            let patient = Task { await tokens.wait(for: madeUp, within: .seconds(120)) }
            try await bench.until("all is read") { store.sent > 40 }
            patient.cancel()
            #expect(await patient.value == .timedOut)
            _ = store.takeSent()
            // Who asked is gone before the first page is there.
            let waiting = Task {
                while !Task.isCancelled { await Task.yield() }
                return await tokens.wait(for: madeUp, within: .seconds(60))
            }
            waiting.cancel()
            #expect(await waiting.value == .timedOut)
            #expect(store.takeSent() == 1)
            try await bench.tell("HSET", ScriptedJournals.west.metaKey, "floor", "5-1")
            #expect(await tokens.wait(for: madeUp, within: .seconds(60)) == .unknown)
            #expect(store.takeSent() == 1)
        }
    }
}

@Suite("Pauses between looks for a token", .timeLimit(.minutes(5)))
struct LookPausesTests {
    @Test("There is none between the first looks; then they grow, up to a bound")
    func pauses() {
        var pauses = LookPauses()
        let free = (1..<LookPauses.freeLooks).map { _ in pauses.lookedInVain() }
        #expect(free.allSatisfy { $0 == .zero })
        let later = (1...7).map { _ in pauses.lookedInVain() }
        #expect(later == [5, 10, 20, 40, 80, 100, 100].map { Duration.milliseconds($0) })
    }

    @Test("However often the projection gets on, journals are not searched as often; what comes late is found")
    func spaced() async throws {
        try await TokenBench.with(projecting: false) { bench in
            let store = CountingStore(store: PromptRedisStore(client: bench.redis))
            let tokens = JournalTokens(
                region: "eu-west", peers: ["us-east"], store: store, progress: bench.progress)
            let last = UInt64(1_000_000)
            let began = ContinuousClock.now
            async let verdict = tokens.wait(
                for: WriteToken(after: Position(number: 5), xid: UInt32(last)), within: .seconds(600))
            var step = UInt64(10)
            try await bench.until("it was looked for often") {
                step += 1
                bench.progress.reached(Position(number: step))
                return store.sent > LookPauses.freeLooks + 10
            }
            // Of those behind the first, five have shorter pauses before them than all others.
            let longPauses = Int((ContinuousClock.now - began) / LookPauses.longest)
            #expect(store.sent <= LookPauses.freeLooks + 5 + longPauses + 1)
            try await bench.write(last, "put 101 person 1 {}", to: ScriptedJournals.west)
            bench.progress.reached(Position(number: last))
            #expect(await verdict == .visible)
        }
    }
}

/// Counts how often something is sent; the first times it may be lost.
private final class CountingStore: ProjectionStore {
    private struct State {
        var sent = 0
        var losses: Int
    }

    private let store: any ProjectionStore
    private let state: Mutex<State>

    init(store: any ProjectionStore, losses: Int = 0) {
        self.store = store
        state = Mutex(State(losses: losses))
    }

    /// How often since `takeSent` was called.
    var sent: Int { state.withLock { $0.sent } }

    func takeSent() -> Int {
        state.withLock { state in
            defer { state.sent = 0 }
            return state.sent
        }
    }

    func send(_ commands: [RedisCommand]) async -> SentCommands {
        let isLost = state.withLock { state in
            state.sent += 1
            state.losses -= 1
            return state.losses >= 0
        }
        guard isLost else { return await store.send(commands) }
        return SentCommands { commands.map { _ in .failure(.unreachable("the connection was lost")) } }
    }
}

/// The provisioning journals of two regions, as a test writes them, their projection, and tokens that are waited for there.
private struct TokenBench: Sendable {
    let redis: RedisClient
    let progress: ProvisioningProgress
    let tokens: JournalTokens
    /// Makes a projection.
    let projection: @Sendable () -> ProvisioningProjection

    /// The test itself runs the projection where none is `projecting`.
    static func with(
        projecting: Bool = true, _ body: @escaping @Sendable (TokenBench) async throws -> Void
    ) async throws {
        try await RedisServer.with { server in
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let endpoint = RedisEndpoint.patient(server.port)
            let client = RedisClient(endpoint: endpoint, name: "test", eventLoop: loop)
            let progress = ProvisioningProgress()
            let projection: @Sendable () -> ProvisioningProjection = {
                ProvisioningProjection(
                    journals: [ScriptedJournals.east, ScriptedJournals.west], layouts: IndexLayouts(.reads),
                    store: RedisProjectionStore(client: client),
                    tail: RedisProjectionTail(
                        endpoint: endpoint, name: "projection", eventLoop: loop, entriesPerRead: 64),
                    report: ProjectionReport(
                        states: ComponentStates(), metrics: MetricsRegistry(),
                        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })),
                    progress: progress)
            }
            let tokens = JournalTokens(
                region: "eu-west", peers: ["us-east"], store: PromptRedisStore(client: client), progress: progress)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                defer { tasks.cancelAll() }
                tasks.addTask { await client.run() }
                _ = try await client.connection()
                if projecting { tasks.addTask { await projection().run() } }
                try await body(
                    TokenBench(redis: client, progress: progress, tokens: tokens, projection: projection))
            }
        }
    }

    /// Writes a transaction into a journal; its changes as `ScriptedJournals` has them.
    func write(
        _ position: UInt64, _ changes: String..., to journal: JournalName = ScriptedJournals.east
    ) async throws {
        var script = ScriptedJournals()
        script.add(journal, position, changes)
        let commands = (script.entries[journal] ?? []).map { entry in
            RedisCommand(words: ["XADD", journal.key, entry.id.description] + entry.words, runs: [])
        }
        for result in try await redis.connection().pipeline(commands) { _ = try result.get() }
    }

    @discardableResult
    func tell(_ words: String...) async throws -> RedisReply {
        try await redis.connection().send(RedisCommand(words: words, runs: []))
    }

    /// Waits until all up to `position` is projected.
    func projected(_ position: UInt64) async throws {
        try await until("\(position) is projected") { progress.confirmed == Position(number: position) }
    }

    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("in vain: \(what)")
    }
}
