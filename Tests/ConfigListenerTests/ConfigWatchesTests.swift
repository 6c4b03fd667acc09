import Journal
import PortFixtures
import RESP
import RedisClient
import ServerFixtures
import Synchronization
import Testing

@testable import ConfigListener

@Suite("Watches of provisioning", .serialized) struct ConfigWatchesTests {
    @Test("A watch is told what becomes visible, of its tenant and types, when it does, until it ends")
    func live() async throws {
        try await WatchBench.with { bench in
            bench.reached(10)
            let client = try await bench.watcher()
            #expect(await client.say("CFG.WATCH 101") == begun(1, "10"))
            #expect(await client.say("CFG.WATCH 101 note") == begun(2, "10"))
            try await bench.until("both are live") { bench.live == 2 }
            try await bench.write(20, "insert 101 person 7 {}", "insert 102 person 8 {}", "put 101 note 1,2 {}")
            try await bench.write(30, "delete 101 person 7")
            // Nothing is told before it is projected.
            #expect(await client.say("ECHO still") == "$5\r\nstill\r\n")
            bench.reached(20)
            #expect(await client.hears(news(1, 20, "ObjectCreated", "person", "7", "{}")))
            let both = [1, 2].map { news($0, 20, "ObjectUpdated", "note", "1,2", "{}", ordinal: 3) }
            let heard = await client.hear(until: both[0]) == both[0]
            #expect(heard ? await client.hears(both[1]) : true)
            bench.reached(30)
            let last = await client.hear(until: news(1, 30, "ObjectDeleted", "person", "7", nil))
            #expect(last.hasSuffix(news(1, 30, "ObjectDeleted", "person", "7", nil)))
            #expect(await client.say("CFG.UNWATCH 1") == "+OK\r\n")
            #expect(await client.say("CFG.UNWATCH 1") == "-NOTFOUND no such watch\r\n")
            try await bench.write(40, "put 101 person 7 {}", "put 101 note 3,4 {}", to: WatchBench.west)
            bench.reached(40)
            #expect(await client.hears(news(2, 40, "ObjectUpdated", "note", "3,4", "{}", ordinal: 2)))
        }
    }

    @Test("A watch from a position catches up and goes on without gap or repetition")
    func catchesUp() async throws {
        try await WatchBench.with { bench in
            for position in UInt64(1)...300 {
                try await bench.write(
                    position * 10, "insert 101 person \(position) {}",
                    to: position.isMultiple(of: 3) ? WatchBench.west : WatchBench.east)
            }
            bench.reached(2000)
            let client = try await bench.watcher()
            client.send("CFG.WATCH 101 FROM 1000")
            #expect(await client.hears(begun(1, "1000")))
            // While it catches up the projection goes on.
            for position in stride(from: UInt64(2010), through: 3000, by: 90) { bench.reached(position) }
            bench.reached(3000)
            for position in UInt64(101)...300 {
                #expect(await client.hears(news(1, position * 10, "ObjectCreated", "person", "\(position)", "{}")))
            }
            try await bench.until("it is live") { bench.live == 1 }
            try await bench.write(3010, "put 101 person 1 {}")
            bench.reached(3010)
            #expect(await client.hears(news(1, 3010, "ObjectUpdated", "person", "1", "{}")))
        }
    }

    @Test("A watch may begin within a transaction, and at a position that the region has not come to")
    func within() async throws {
        try await WatchBench.with { bench in
            try await bench.write(10, "insert 101 person 1 {}", "insert 101 person 2 {}")
            bench.reached(10)
            let client = try await bench.watcher()
            client.send("CFG.WATCH 101 FROM 10-1")
            let expected = begun(1, "10-1") + news(1, 10, "ObjectCreated", "person", "2", "{}", ordinal: 2)
            #expect(await client.hears(expected))
            #expect(await client.say("CFG.WATCH 101 FROM 20") == begun(2, "20"))
            _ = await client.say("CFG.UNWATCH 1")
            try await bench.write(20, "insert 101 person 3 {}")
            try await bench.write(30, "insert 101 person 4 {}")
            bench.reached(30)
            #expect(await client.hears(news(2, 30, "ObjectCreated", "person", "4", "{}")))
        }
    }

    @Test("Behind any push a watch goes on with the next one, also within a transaction")
    func resumes() async throws {
        try await WatchBench.with { bench in
            try await bench.write(
                20, "insert 101 person 1 {}", "insert 102 person 2 {}", "insert 101 person 3 {}", "put 101 person 1 {}")
            try await bench.write(30, "delete 101 person 3")
            bench.reached(30)
            let told = [
                ("20-1", news(1, 20, "ObjectCreated", "person", "1", "{}")),
                ("20-3", news(1, 20, "ObjectCreated", "person", "3", "{}", ordinal: 3)),
                ("20-4", news(1, 20, "ObjectUpdated", "person", "1", "{}", ordinal: 4)),
                ("30-1", news(1, 30, "ObjectDeleted", "person", "3", nil)),
            ]
            for (index, last) in told.enumerated() {
                let client = try await bench.watcher()
                client.send("CFG.WATCH 101 FROM \(last.0)")
                let rest = told.dropFirst(index + 1).map { $0.1 }.joined()
                #expect(await client.hears(begun(1, last.0) + rest))
            }
        }
    }

    @Test("A client that takes nothing while it catches up is waited for, and gets everything")
    func slow() async throws {
        try await WatchBench.with(outputBytes: 1 << 20) { bench in
            let data = "{\"note\":\"\(String(repeating: "x", count: 60_000))\"}"
            for position in UInt64(1)...300 { try await bench.write(position, "put 101 person \(position) \(data)") }
            bench.reached(300)
            let client = try await bench.watcher()
            client.send("CFG.WATCH 101 FROM 0")
            #expect(await client.hears(begun(1, "0")))
            try await bench.untilNothingIsRead()
            #expect(bench.live == 0)
            for position in UInt64(1)...300 {
                #expect(await client.hears(news(1, position, "ObjectUpdated", "person", "\(position)", data)))
            }
            try await bench.until("it is live") { bench.live == 1 }
        }
    }

    @Test("A watch ends with STALE where objects changed that are not named")
    func unnamed() async throws {
        try await WatchBench.with { bench in
            bench.reached(10)
            let client = try await bench.watcher()
            for watch in 1...3 {
                #expect(await client.say("CFG.WATCH 101\(watch == 2 ? " person" : "")") == begun(watch, "10"))
            }
            _ = await client.say("CFG.UNWATCH 3")
            try await bench.write(20, "truncate note")
            bench.reached(20)
            #expect(await client.hears(stale(1, 20, "note")))
            #expect(await client.say("CFG.UNWATCH 1") == "-NOTFOUND no such watch\r\n")
            try await bench.write(30, "begin-snapshot", "put 101 person 1 {}")
            bench.reached(30)
            #expect(await client.hears(stale(2, 30)))
            #expect(bench.live == 0)
            client.send("CFG.WATCH 101 FROM 20")
            #expect(await client.hears(begun(4, "20") + stale(4, 30)))
        }
    }

    @Test("Where what follows is trimmed, missing or unknown a watch is refused")
    func refusedFrom() async throws {
        try await WatchBench.with { bench in
            let client = try await bench.watcher()
            #expect(await client.say("CFG.WATCH 101").hasPrefix("-UNAVAILABLE "))
            let (old, new) = (UInt64(1) << 52, UInt64(2) << 52)
            try await bench.write(old + 50, "put 102 person 1 {}")
            bench.reached(old + 50)
            try await bench.tell("HSET", WatchBench.east.metaKey, "floor", "\(old + 20)-2")
            #expect(await client.say("CFG.WATCH 101 FROM \(old + 19)").hasPrefix("-STALE "))
            #expect(await client.say("CFG.HISTORY 101 FROM \(old + 19) COUNT 1").hasPrefix("-STALE "))
            #expect(await client.say("CFG.WATCH 101 FROM \(old + 20)") == begun(1, "\(old + 20)"))
            try await bench.until("it is live") { bench.live == 1 }
            try await bench.tell("HSET", WatchBench.west.metaKey, "missed:eu-west", "3 \(old + 30)-4")
            #expect(await client.say("CFG.WATCH 101 FROM \(old + 29)").hasPrefix("-STALE "))
            #expect(await client.say("CFG.WATCH 101 FROM \(new)").hasPrefix("-STALE "))
            try await bench.write(new + 5, "put 102 person 1 {}", to: WatchBench.west)
            bench.reached(new + 5)
            #expect(await client.say("CFG.WATCH 101 FROM \(old + 51)").hasPrefix("-STALE "))
            #expect(await client.say("CFG.WATCH 101 FROM \(old + 50)") == begun(2, "\(old + 50)"))
            try await bench.write(old + 60, "put 101 person 1 {}")
            try await bench.write(new + 9, "put 101 person 2 {}", to: WatchBench.west)
            bench.reached(new + 9)
            // What a history brings after its end is not told.
            let heard = await client.hear(until: news(2, new + 9, "ObjectUpdated", "person", "2", "{}"))
            #expect(!heard.contains("\(old + 60)"))
        }
    }

    @Test("A watch from behind where a history turns out to have ended here ends with STALE, also where it is live")
    func behindTheEnd() async throws {
        try await WatchBench.with { bench in
            let (old, new) = (UInt64(1) << 52, UInt64(2) << 52)
            bench.reached(old + 50)
            let client = try await bench.watcher()
            // Another region had more of the history than this one will ever have.
            #expect(await client.say("CFG.WATCH 101 FROM \(old + 60)") == begun(1, "\(old + 60)"))
            #expect(await client.say("CFG.WATCH 101 FROM \(old + 50)") == begun(2, "\(old + 50)"))
            try await bench.until("both are live") { bench.live == 2 }
            try await bench.write(new + 5, "put 101 person 1 {}", to: WatchBench.west)
            bench.reached(new + 5)
            #expect(await client.hears(stale(1, new + 5)))
            #expect(await client.hears(news(2, new + 5, "ObjectUpdated", "person", "1", "{}")))
            #expect(bench.live == 1)
        }
    }

    @Test("A watch from now on is told what others were told before Redis lost it, when that is projected again")
    func setBack() async throws {
        try await WatchBench.with { bench in
            bench.reached(10)
            let (early, late) = (try await bench.watcher(), try await bench.watcher())
            #expect(await early.say("CFG.WATCH 101") == begun(1, "10"))
            try await bench.until("it is live") { bench.live == 1 }
            try await bench.write(20, "put 101 person 1 {}")
            bench.reached(20)
            #expect(await early.hears(news(1, 20, "ObjectUpdated", "person", "1", "{}")))
            bench.reached(10)
            #expect(await late.say("CFG.WATCH 101") == begun(1, "10"))
            bench.reached(20)
            #expect(await late.hears(news(1, 20, "ObjectUpdated", "person", "1", "{}")))
            try await bench.until("both are live") { bench.live == 2 }
            try await bench.write(30, "delete 101 person 1")
            bench.reached(30)
            for client in [early, late] {
                #expect(await client.hears(news(1, 30, "ObjectDeleted", "person", "1", nil)))
            }
        }
    }

    @Test("A live watch whose journal is trimmed before it was told ends with STALE")
    func trimmedLive() async throws {
        try await WatchBench.with { bench in
            bench.reached(10)
            let client = try await bench.watcher()
            #expect(await client.say("CFG.WATCH 101") == begun(1, "10"))
            try await bench.tell("HSET", WatchBench.east.metaKey, "floor", "15-2")
            try await bench.write(20, "put 101 person 1 {}")
            bench.reached(20)
            #expect(await client.hears(stale(1, 20)))
        }
    }

    @Test("Words that are no watch, RESP2, other tenants, and more watches than a connection may have")
    func refused() async throws {
        try await WatchBench.with { bench in
            bench.reached(10)
            do {
                let client = try bench.talk()
                #expect(await client.say("CFG.WATCH 101") == "-ERR CFG.WATCH needs RESP3: say HELLO 3 first\r\n")
                _ = await client.say("HELLO 3 AUTH pulse sesame")
                #expect(await client.say("CFG.WATCH 102") == "-NOTENANT no such tenant\r\n")
                #expect(await client.say("CFG.HISTORY 102 FROM 0 COUNT 1") == "-NOTENANT no such tenant\r\n")
                #expect(await client.say("CFG.WATCH 101 x") == "-ERR no such object type 'x'\r\n")
                #expect(await client.say("CFG.WATCH 101 FROM") == "-ERR syntax error\r\n")
                #expect(await client.say("CFG.WATCH 101 FROM x").hasPrefix("-ERR FROM takes a position"))
                let wrong = [
                    "COUNT x", "COUNT 0", "COUNT 1001", "COUNT 1 COUNT 1", "COUNT 1 TYPE x", "COUNT 1 TYPE",
                ]
                for words in wrong {
                    #expect(await client.say("CFG.HISTORY 101 FROM 0 \(words)").hasPrefix("-ERR "), "\(words)")
                }
                #expect(await client.say("CFG.UNWATCH x") == "-ERR value is not an integer or out of range\r\n")
                for number in 1...ProvisioningWatches.limit {
                    #expect(await client.say("CFG.WATCH 101") == begun(number, "10"))
                }
                #expect(await client.say("CFG.WATCH 101").hasPrefix("-LIMIT "))
                #expect(await client.say("CFG.UNWATCH 3") == "+OK\r\n")
                #expect(await client.say("CFG.WATCH 101") == begun(ProvisioningWatches.limit + 1, "10"))
                try await bench.until("all are live") { bench.live == ProvisioningWatches.limit }
            }
            try await bench.until("nothing is watched") {
                bench.feed.state.withLock { $0.watches.size == (0, 0) }
            }
        }
    }

    @Test("History in parts is what a watch was told")
    func history() async throws {
        try await WatchBench.with { bench in
            for position in UInt64(1)...9 {
                try await bench.write(
                    position, "insert 101 person \(position) {}", "put 102 person 1 {}",
                    "delete 101 note \(position),1",
                    to: position.isMultiple(of: 2) ? WatchBench.west : WatchBench.east)
            }
            bench.reached(8)
            let client = try await ReadBench.connect(to: bench.port)
            var (position, keys) = ("0", [String]())
            while true {
                let page = try await client.send(
                    RedisCommand("CFG.HISTORY", "101", "FROM", position, "TYPE", "person", "COUNT", "3"))
                keys += try #require(page[3]).elements.compactMap { $0[3]?.string }
                let next = try #require(page[1]?.string)
                if next == position { break }
                position = next
            }
            #expect(keys == (1...8).map { "\($0)" } && position == "8")
            let shown = try await client.shown("CFG.HISTORY", "101", "FROM", "7", "COUNT", "9")
            #expect(
                shown == #"["position", "8", "events", [["8-1", "ObjectCreated", "person", "8", "{}"], "#
                    + #"["8-3", "ObjectDeleted", "note", "8,1", (nil)]]]"#, "\(shown)")
            await client.close()
        }
    }

    @Test("Redis goes away and comes back: the watch goes on where it was")
    func redisAway() async throws {
        try await WatchBench.with { bench in
            bench.reached(10)
            let client = try await bench.watcher()
            #expect(await client.say("CFG.WATCH 101") == begun(1, "10"))
            await bench.server.kill()
            bench.reached(20)
            bench.interrupted()
            #expect(await client.say("CFG.HISTORY 101 FROM 10 COUNT 1").hasPrefix("-UNAVAILABLE "))
            try await bench.server.start()
            // It has lost what was projected of it, and gets it again.
            try await bench.until("it is there again") { (try? await bench.tell("PING")) != nil }
            #expect(await client.say("CFG.HISTORY 101 FROM 10 COUNT 1").hasPrefix("-UNAVAILABLE "))
            try await bench.write(20, "put 101 person 1 {}")
            bench.reached(20)
            #expect(await client.hears(news(1, 20, "ObjectUpdated", "person", "1", "{}")))
        }
    }

    @Test("While memory may have an older object than a change that is projected, nobody is told of that")
    func memoryBehind() async throws {
        let gate = Gate()
        try await WatchBench.with(gate: gate) { bench in
            let cache = try #require(bench.cache)
            try await bench.until("there is a session") { cache.session != nil }
            bench.reached(10)
            let (live, late) = (try await bench.watcher(), try await bench.watcher())
            #expect(await live.say("CFG.WATCH 101") == begun(1, "10"))
            try await bench.until("it is live") { bench.live == 1 }
            try await bench.loseSession(gate)
            let fill = cache.memory.beginFill(of: ObjectAddress(tenant: 101, type: "person", id: "1"))
            cache.memory.finish(fill, with: .ok, size: 1)
            try await bench.write(20, "put 101 person 1 {}")
            bench.reached(20)
            late.send("CFG.WATCH 101 FROM 10")
            #expect(await late.hears(begun(1, "10")))
            #expect(await late.say("CFG.HISTORY 101 FROM 10 COUNT 1").hasPrefix("-UNAVAILABLE "))
            // The late one has all that the other one was told, and goes on with it.
            try await bench.until("both are live") { bench.live == 2 }
            let failed = "Provisioning journals cannot be read for watchers"
            let before = bench.logged.count(of: failed)
            try await bench.until("what is new was read for both, and cannot be told") {
                bench.logged.count(of: failed) > before
            }
            for client in [live, late] { #expect(await client.say("ECHO still") == "$5\r\nstill\r\n") }
            #expect(cache.memory.usage.objects == 1)
            gate.isOpen = true
            for client in [live, late] {
                #expect(await client.hears(news(1, 20, "ObjectUpdated", "person", "1", "{}")))
            }
            #expect(cache.memory.usage.objects == 0)
        }
    }

    @Test("Journals that were emptied behind the projection's back are not taken for quiet ones")
    func emptied() async throws {
        try await WatchBench.with { bench in
            bench.reached(10)
            let client = try await bench.watcher()
            #expect(await client.say("CFG.WATCH 101") == begun(1, "10"))
            try await bench.write(20, "put 101 person 1 {}")
            try await bench.tell("FLUSHALL")
            bench.reached(20)
            #expect(await client.hears(stale(1, 20)))
            #expect(await client.say("CFG.HISTORY 101 FROM 10 COUNT 1").hasPrefix("-STALE "))
            client.send("CFG.WATCH 101 FROM 10")
            #expect(await client.hears(begun(2, "10") + stale(2, 20)))
        }
    }
}
