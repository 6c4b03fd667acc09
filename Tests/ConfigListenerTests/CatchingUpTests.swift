import Journal
import PortFixtures
import RESPServer
import RedisClient
import ServerFixtures
import Testing

@testable import ConfigListener

@Suite("Watches that catch up together", .serialized) struct CatchingUpTests {
    @Test("more than may read at a time wait for their turn; they are answered, and live ones are told meanwhile")
    func turns() async throws {
        try await WatchBench.with { bench in
            try await bench.write(10, "put 101 person 1 {}")
            bench.reached(10)
            let live = try await bench.watcher()
            #expect(await live.say("CFG.WATCH 101") == begun(1, "10"))
            try await bench.until("it is live") { bench.live == 1 }
            let turns = bench.feed.turns
            for _ in 0..<ProvisioningFeed.readers { #expect(await turns.take()) }

            let count = ProvisioningFeed.readers + 3
            var clients: [PortTalk] = []
            for _ in 0..<count {
                let client = try await bench.watcher()
                client.send("CFG.WATCH 101 FROM 1")
                #expect(await client.hears(begun(1, "1")))
                clients.append(client)
            }
            try await bench.until("all wait") { turns.waitingCount == count }
            try await bench.write(20, "put 101 person 2 {}")
            bench.reached(20)
            #expect(await live.hears(news(1, 20, "ObjectUpdated", "person", "2", "{}")))
            // Looks at history do not wait for them.
            #expect(await live.say("CFG.HISTORY 101 FROM 1 COUNT 9").hasPrefix("%2\r\n"))
            // Nothing is told before its turn.
            #expect(await clients[0].say("ECHO still") == "$5\r\nstill\r\n")
            #expect(await clients[0].say("CFG.UNWATCH 1") == "+OK\r\n")

            for _ in 0..<ProvisioningFeed.readers { turns.pass() }
            for client in clients.dropFirst() {
                #expect(
                    await client.hears(
                        news(1, 10, "ObjectUpdated", "person", "1", "{}")
                            + news(1, 20, "ObjectUpdated", "person", "2", "{}")))
            }
            try await bench.until("all are live") { bench.live == count }
            #expect(turns.waitingCount == 0)
            #expect(await clients[0].say("ECHO still") == "$5\r\nstill\r\n")
        }
    }

    @Test("clients that take nothing do not keep the turns of those that do")
    func slow() async throws {
        try await WatchBench.with(turnTime: .seconds(3600)) { bench in
            let data = "{\"note\":\"\(String(repeating: "x", count: 60_000))\"}"
            let last: UInt64 = 300
            for position in 1...last { try await bench.write(position, "put 101 person \(position) \(data)") }
            bench.reached(last)
            var slow: [PortTalk] = []
            for _ in 0..<2 * ProvisioningFeed.readers {
                let client = try await bench.watcher()
                client.send("CFG.WATCH 101 FROM 0")
                #expect(await client.hears(begun(1, "0")))
                slow.append(client)
            }
            let quick = try await bench.watcher()
            quick.send("CFG.WATCH 101 FROM 0")
            #expect(await quick.hears(begun(1, "0")))
            for position in 1...last {
                #expect(await quick.hears(news(1, position, "ObjectUpdated", "person", "\(position)", data)))
            }
            try await bench.until("it is live") { bench.live == 1 }
            // And they get everything when they take it.
            for position in 1...last {
                #expect(await slow[0].hears(news(1, position, "ObjectUpdated", "person", "\(position)", data)))
            }
        }
    }

    @Test("more looks at history than may go on at a time wait, and are answered")
    func history() async throws {
        try await WatchBench.with { bench in
            try await bench.write(10, "put 101 person 1 {}")
            bench.reached(10)
            let turns = bench.feed.historyTurns
            for _ in 0..<ProvisioningFeed.readers { #expect(await turns.take()) }
            let client = try await bench.watcher()
            client.send("CFG.HISTORY 101 FROM 1 COUNT 9")
            var gone = try await [bench.watcher()]
            gone[0].send("CFG.HISTORY 101 FROM 1 COUNT 9")
            try await bench.until("both wait") { turns.waitingCount == 2 }
            gone.removeAll()
            try await bench.until("the one that is gone does not") { turns.waitingCount == 1 }
            turns.pass()
            #expect(await client.hear(until: "\r\n") == "%2\r\n")
        }
    }
}
