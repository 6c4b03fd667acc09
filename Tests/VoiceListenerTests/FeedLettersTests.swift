import Journal
import NIOCore
import PortFixtures
import RESPServer
import Synchronization
import Testing

@testable import VoiceListener

@Suite("What is on its way to who watches", .timeLimit(.minutes(5))) struct FeedLettersTests {
    private static let journal = JournalName.voice(tenant: "101", origin: "us-east")

    private static func news(_ id: Int) -> String {
        ">5\r\n$5\r\nvoice\r\n:1\r\n$7\r\nus-east\r\n$3\r\n\(id)-0\r\n*2\r\n$1\r\nn\r\n$1\r\n\(id)\r\n"
    }

    @Test(
        "too much is waited for until it is taken, by number and by bytes",
        arguments: [FeedLetters.Size(count: 1), FeedLetters.Size(bytes: 1)])
    func size(oneMore: FeedLetters.Size) async {
        let letters = FeedLetters()
        letters.sent(FeedLetters.Size(count: FeedLetters.limit, bytes: FeedLetters.byteLimit))
        await letters.untilTaken()
        letters.sent(oneMore)
        await withTaskGroup(of: Void.self) { readers in
            for _ in 0..<2 { readers.addTask { await letters.untilTaken() } }
            while letters.waiting.readers < 2, !Task.isCancelled { await Task.yield() }
            letters.taken(FeedLetters.Size())
            #expect(letters.waiting.readers == 2)
            letters.taken(oneMore)
            await readers.waitForAll()
        }
        #expect(letters.waiting.readers == 0)
        #expect(letters.waiting.size == FeedLetters.Size(count: FeedLetters.limit, bytes: FeedLetters.byteLimit))
    }

    @Test("it counts until the event loops of clients have come to it")
    func counted() async throws {
        try await ReadingPort.with { port in
            let (watcher, feed) = (try port.client(), port.feed)
            _ = await watcher.say("HELLO 3")
            for _ in 0..<3 { #expect(await watcher.say("VOICE.WATCH 101 us-east").hasPrefix("%2")) }
            let (found, stream) = feed.state.withLock { state in
                (state.machine.waiters.values.first?.client.client, state.machine.numbers[Self.journal])
            }
            let client = try #require(found)
            let journal = try #require(stream)
            var counted = 0
            // Where somebody else acts it is left to that one.
            try await port.until("the test acts") {
                counted = try await client.eventLoop.submit {
                    // The loop comes to nothing else before this is over.
                    feed.apply { $0.tellWatchers(of: journal) }
                    return feed.letters.waiting.size.count
                }.get()
                return counted > 0
            }
            #expect(counted.isMultiple(of: 3))
            try await port.until("the loop has come to it") { feed.letters.waiting.size == FeedLetters.Size() }
        }
    }

    @Test("a reader reads no more while it is too much, and goes on when it is taken")
    func heldBack() async throws {
        try await ReadingPort.with { port in
            let watcher = try port.client()
            _ = await watcher.say("HELLO 3")
            #expect(await watcher.say("VOICE.WATCH 101").hasPrefix("%2"))
            let much = FeedLetters.Size(count: FeedLetters.limit + 1)
            port.feed.letters.sent(much)
            try await port.append(1)
            try await port.until("the reader is held back") { port.feed.letters.waiting.readers == 1 }
            try await port.append(2)
            port.feed.letters.taken(much)
            #expect(await watcher.hear(until: Self.news(2)) == Self.news(1) + Self.news(2))
        }
    }
}
