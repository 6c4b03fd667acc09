import Journal
import PortFixtures
import RESP
import Testing

@testable import ConfigListener

@Suite("Watches, and objects that are put right without any journal telling of it", .serialized)
struct RepairedObjectsTests {
    @Test("A watch ends with STALE where objects of its types were put right, and goes on from there or later")
    func repaired() async throws {
        try await WatchBench.with { bench in
            bench.reached(10)
            let client = try await bench.watcher()
            #expect(await client.say("CFG.WATCH 101") == begun(1, "10"))
            #expect(await client.say("CFG.WATCH 101 person") == begun(2, "10"))
            try await bench.until("both are live") { bench.live == 2 }
            bench.feed.repaired("note")
            #expect(await client.hears(stale(1, 10, "note")))
            #expect(await client.say("CFG.UNWATCH 1") == "-NOTFOUND no such watch\r\n")
            try await bench.write(20, "put 101 person 1 {}")
            bench.reached(20)
            #expect(await client.hears(news(2, 20, "ObjectUpdated", "person", "1", "{}")))
            bench.feed.repaired("person")
            #expect(await client.hears(stale(2, 20, "person")))
            #expect(bench.live == 0)
            // Who has not listed since is told to.
            let refused = "-STALE objects were put right in this region since that position; list again\r\n"
            #expect(await client.say("CFG.WATCH 101 FROM 10") == refused)
            #expect(await client.say("CFG.WATCH 101 person FROM 19") == refused)
            #expect(await client.say("CFG.HISTORY 101 FROM 10 TYPE person COUNT 1") == refused)
            #expect(await client.say("CFG.HISTORY 101 FROM 10 TYPE note COUNT 1").hasPrefix("%2\r\n"))
            #expect(await client.say("CFG.WATCH 101 note FROM 10") == begun(3, "10"))
            #expect(await client.say("CFG.WATCH 101 FROM 20") == begun(4, "20"))
        }
    }

    @Test("While memory may have an object from before it was put right, nobody is told to list again")
    func memoryBehind() async throws {
        let gate = Gate()
        try await WatchBench.with(gate: gate) { bench in
            let cache = try #require(bench.cache)
            try await bench.until("there is a session") { cache.session != nil }
            bench.reached(10)
            let client = try await bench.watcher()
            #expect(await client.say("CFG.WATCH 101") == begun(1, "10"))
            try await bench.until("it is live") { bench.live == 1 }
            try await bench.loseSession(gate)
            let fill = cache.memory.beginFill(of: ObjectAddress(tenant: 101, type: "person", id: "1"))
            cache.memory.finish(fill, with: .ok, size: 1)
            bench.feed.repaired("person")
            try await bench.until("it is wanted in vain to tell") {
                bench.logged.count(of: "Watchers cannot be told of repaired objects yet") > 0
            }
            #expect(await client.say("ECHO still") == "$5\r\nstill\r\n")
            #expect(cache.memory.usage.objects == 1)
            gate.isOpen = true
            #expect(await client.hears(stale(1, 10, "person")))
            #expect(cache.memory.usage.objects == 0)
        }
    }

    @Test("Repairs count for watches that began before, and for places before what was projected then")
    func repairs() {
        var repairs = ProvisioningRepairs()
        repairs.repaired("note", at: EntryID(first: 10, second: .max))
        let began = repairs.count
        #expect(repairs.repaired(nil, since: 0) == "note" && repairs.repaired(["note", "person"], since: 0) == "note")
        #expect(repairs.repaired(["person"], since: 0) == nil && repairs.repaired(nil, since: began) == nil)
        repairs.repaired("person", at: EntryID(first: 20, second: .max))
        #expect(repairs.repaired(nil, since: began) == "person" && repairs.repaired(["note"], since: began) == nil)
        #expect(repairs.hasRepaired(nil, behind: EntryID(first: 20, second: 1)))
        #expect(!repairs.hasRepaired(nil, behind: EntryID(first: 20, second: .max)))
        #expect(!repairs.hasRepaired(["note"], behind: EntryID(first: 11, second: 0)))
        #expect(repairs.hasRepaired(["note"], behind: EntryID(first: 9, second: .max)))
    }
}
