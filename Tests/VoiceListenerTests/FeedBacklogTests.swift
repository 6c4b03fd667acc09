import Journal
import Logging
import NIOCore
import NIOPosix
import Observability
import PortFixtures
import Projection
import RESP
import RedisClient
import ServerFixtures
import Synchronization
import Testing

@testable import VoiceListener
@testable import Worker

@Suite("What the feed does while more comes", .timeLimit(.minutes(5))) struct FeedBacklogTests {
    private typealias Backlog = FeedBacklog<String>

    @Test("much that waits is too much, by number and by bytes, until it is taken, in order")
    func size() throws {
        var backlog = Backlog()
        backlog.add([Backlog.Action](repeating: .look, count: Backlog.actionLimit))
        #expect(!backlog.isLarge)
        backlog.add([.start(reader: 7)])
        #expect(backlog.isLarge)
        let taken = backlog.takeAll()
        #expect(taken.count == Backlog.actionLimit + 1)
        guard case .start(reader: 7)? = taken.last else {
            Issue.record("the last is \(String(describing: taken.last))")
            return
        }
        #expect(!backlog.isLarge)
        let watching = [String](repeating: "w", count: Backlog.actionLimit)
        backlog.add([.push(watching, watch: 1, region: "eu", nil)])
        #expect(!backlog.isLarge)
        backlog.add([.push(["w"], watch: 1, region: "eu", nil)])
        #expect(backlog.isLarge)
        #expect(backlog.takeAll().count == 2)
        #expect(!backlog.isLarge)

        var builder = EntryBatchBuilder(previous: .zero)
        builder.append(id: EntryID(first: 1, second: 0), fields: 1) { strings in
            strings.append("n")
            strings.append(String(repeating: "x", count: Backlog.byteLimit))
        }
        let chunk = try EntryChunk(try #require(builder.batch()))
        backlog.add([.push(["w"], watch: 1, region: "eu", chunk)])
        #expect(backlog.isLarge)
        let pushes = backlog.takeAll()
        #expect(pushes.count == 1 && !backlog.isLarge)
    }

    /// One that is not run, and whose Redis is away.
    private static func feed() -> VoiceFeed {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let redis = RedisClient(endpoint: RedisEndpoint(host: "127.0.0.1", port: 1), name: "test", eventLoop: loop)
        return VoiceFeed(
            store: PromptRedisStore(client: redis),
            tail: { (_, _) async throws(StoreFailure) -> any VoiceTail in
                throw StoreFailure.unreachable("nobody reads")
            },
            eventLoop: loop, states: ComponentStates(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    @Test("a timer is kept no longer where somebody's time is up before")
    func timers() async throws {
        let feed = Self.feed()
        var timers: [Scheduled<Void>] = []
        for (id, time) in [Duration.seconds(7200), .seconds(3600)].enumerated() {
            _ = feed.tell { $0.deadlines.add(id, at: VoiceFeed.now + time) }
            let timer = feed.state.withLock { $0.timer?.task }
            timers.append(try #require(timer))
        }
        let (first, second) = (timers[0], timers[1])
        await #expect(throws: EventLoopError.cancelled) { try await first.futureResult.get() }
        second.cancel()
    }

    @Test("what comes while somebody acts is left to the feed's own tasks: who acts has clients to serve")
    func handedOn() async throws {
        let feed = Self.feed()
        let (_, first) = feed.tell { $0.act(.look) }
        let (_, second) = feed.tell { $0.act(.look) }
        #expect(first.count == 1 && second.isEmpty)
        feed.perform(first)
        let isActing = feed.state.withLock { $0.isActing }
        #expect(isActing)
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await feed.run() }
            while feed.state.withLock({ $0.isActing }), !Task.isCancelled { await Task.yield() }
            tasks.cancelAll()
        }
    }

    @Test("a reader reads no more while too much waits, and goes on when that is done")
    func heldBack() async throws {
        try await ReadingPort.with { port in
            try await port.append(1)
            let client = try port.client()
            client.send("XREAD COUNT 1 BLOCK 0 STREAMS \(ReadingPort.name) 1")
            try await port.until("a reader waits in Redis") {
                let list = try await port.tell("CLIENT", "LIST").string ?? ""
                return list.split(separator: "\n").contains {
                    $0.contains("name=regionsync-feed-") && $0.contains("flags=b")
                }
            }
            // The test does what is wanted, and takes its time.
            var begun: [FeedMachine<VoiceFeed.Reader>.Action] = []
            try await port.until("the test acts") {
                begun = port.feed.tell { $0.act(.look) }.1
                return !begun.isEmpty
            }
            _ = port.feed.tell { machine in
                for _ in 0...FeedBacklog<VoiceFeed.Reader>.actionLimit { machine.act(.look) }
            }
            try await port.append(2)
            try await port.until("the reader is held back") { port.feed.state.withLock { $0.held.count } == 1 }
            try await port.append(3)
            port.feed.perform(begun)
            let first = "$1\r\nn\r\n$1\r\n2\r\n"
            #expect(await client.hear(until: first).hasSuffix(first))
            client.send("XREAD COUNT 1 BLOCK 0 STREAMS \(ReadingPort.name) 2")
            let second = "$1\r\nn\r\n$1\r\n3\r\n"
            #expect(await client.hear(until: second).hasSuffix(second))
        }
    }
}
