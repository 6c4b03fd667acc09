import Journal
import Projection
import RESP
import Testing

@testable import VoiceListener

@Suite("Feed of the voice port, when Redis can be looked at and not read") struct FeedRefusalTests {
    private static let noRight = StoreFailure.server(code: "NOPERM", message: "no permissions to run 'xread'")
    private static let told = "-UNAVAILABLE the region's Redis does not let the worker do this"

    private static func entries(_ name: String, _ id: Int) -> String {
        "%1 $\(name.utf8.count) \(name) *1 *2 $3 \(id)-0 *2 $1 n $1 \(id)"
    }

    /// One client waits behind 5 in `eu`, whose reader reads.
    private static func waiting(_ change: (inout FeedMachine<String>.Settings) -> Void = { _ in }) -> FeedTalk {
        var talk = FeedTalk(change)
        talk.ask("a", "eu 5")
        talk.look(["eu": StreamFacts(5)])
        _ = talk.wanted()
        return talk
    }

    /// The same after two seconds of refusals.
    private static func refused() -> FeedTalk {
        var talk = waiting()
        for time in 0...20 { talk.refuse(noRight, at: .milliseconds(time * 100)) }
        _ = talk.wanted()
        return talk
    }

    @Test("who waits is told once it lasts, and so is who comes then")
    func lasting() {
        var talk = Self.waiting()
        let consumer = talk.join("c", "g", "eu")
        talk.machine.foundNothing(for: consumer)
        talk.watch("w", 1, "eu")
        _ = talk.wanted()
        for time in 0..<20 {
            talk.refuse(Self.noRight, at: .milliseconds(time * 100))
            #expect(!talk.wanted().contains { $0.contains("UNAVAILABLE") || $0.contains("STALE") })
        }
        #expect(talk.reports == [])
        talk.refuse(Self.noRight, at: .seconds(2))
        let told = talk.wanted()
        #expect(told.contains("a: " + Self.told) && told.contains("c: " + Self.told))
        #expect(told.contains("push w: 1 eu STALE"))
        #expect(talk.reports == [.refused(Self.noRight)])
        talk.ask("b", "eu 5")
        talk.watch("v", 1, "eu")
        #expect(talk.wanted() == ["b: " + Self.told, "v: " + Self.told])
    }

    @Test("it is tried less often once it lasts, and who watches is told once")
    func paced() {
        var talk = Self.waiting()
        talk.watch("w", 1, "eu")
        for time in 0...20 { talk.refuse(Self.noRight, at: .milliseconds(time * 100)) }
        #expect(talk.wanted().contains("push w: 1 eu STALE"))
        #expect(talk.machine.readers.isEmpty)
        talk.look(["eu": StreamFacts(5)], at: .milliseconds(2900))
        #expect(talk.machine.readers.isEmpty)
        for time in 3...9 {
            talk.look(["eu": StreamFacts(5)], at: .seconds(time))
            #expect(talk.machine.readers.count == 1)
            talk.refuse(Self.noRight, at: .seconds(time))
            #expect(!talk.wanted().contains { $0.contains("STALE") })
        }
    }

    @Test("it is known at once that reading works again, and who asks then waits as ever")
    func heals() {
        var talk = Self.refused()
        talk.look(["eu": StreamFacts(5)], at: .seconds(3))
        let reader = talk.machine.readers.keys.first ?? 0
        let first = talk.machine.wanted(by: reader)
        #expect(first?.waits == false)
        talk.machine.read([], by: reader, at: .zero)
        let second = talk.machine.wanted(by: reader)
        #expect(second?.waits == true)
        talk.ask("b", "eu 5")
        #expect(talk.wanted() == ["start \(reader)"])
        #expect(talk.reports == [.refused(Self.noRight), .following])
        talk.read("eu", behind: 5, 6, by: reader)
        #expect(talk.wanted() == ["b: " + Self.entries("eu", 6)])
    }

    @Test("what memory has is served meanwhile")
    func memory() {
        var talk = Self.waiting()
        let reader = talk.machine.readers.keys.first ?? 0
        talk.read("eu", behind: 5, 6, by: reader)
        for time in 0...20 { talk.refuse(Self.noRight, at: .milliseconds(time * 100), last: 6) }
        _ = talk.wanted()
        talk.ask("b", "eu 5")
        talk.ask("c", "eu 6")
        #expect(talk.wanted() == ["b: " + Self.entries("eu", 6), "c: " + Self.told])
    }

    @Test("failures with reads that succeed between them are nobody's trouble")
    func nowAndThen() {
        var talk = Self.waiting()
        for time in 0..<9 {
            talk.refuse(Self.noRight, at: .seconds(time * 3))
            let reader = talk.machine.readers.keys.first ?? 0
            _ = talk.machine.wanted(by: reader)
            talk.machine.read([], by: reader, at: .zero)
        }
        #expect(!talk.wanted().contains { $0.contains("UNAVAILABLE") })
        #expect(talk.reports == [])
    }

    @Test("while Redis is away it refuses nothing: that time does not count")
    func away() {
        var talk = Self.waiting()
        talk.refuse(Self.noRight, at: .zero)
        talk.lookInVain(at: .seconds(2))
        #expect(talk.machine.standing == .away)
        talk.look(["eu": StreamFacts(5)], at: .seconds(9))
        talk.refuse(Self.noRight, at: .seconds(10))
        #expect(!talk.wanted().contains { $0.contains("UNAVAILABLE") })
        #expect(talk.machine.waiters.count == 1 && talk.machine.standing == .following)
    }

    @Test("what one reader is refused does not touch the others")
    func others() {
        var talk = Self.waiting { $0.streamsPerReader = 1 }
        let first = talk.machine.readers.keys.first ?? 0
        _ = talk.machine.wanted(by: first)
        talk.ask("b", "us 3")
        talk.look(["us": StreamFacts(3)])
        let second = talk.machine.readers.keys.first { $0 != first } ?? 0
        _ = talk.machine.wanted(by: second)
        _ = talk.wanted()
        talk.machine.readFailed(by: first, .unreachable("closed"), at: .zero)
        #expect(talk.wanted() == [])
        #expect(talk.machine.readers.keys.contains(second) && !talk.machine.isAway)
        talk.read("us", behind: 3, 4, by: second)
        #expect(talk.wanted() == ["b: " + Self.entries("us", 4)])
    }

    @Test("a group that is destroyed while Redis is away: its consumers look when it is back, once")
    func destroyedMeanwhile() {
        var talk = FeedTalk()
        let (parked, looking) = (talk.join("a", "g", "eu"), talk.join("b", "g", "eu"))
        talk.look(["eu": StreamFacts(5)])
        talk.machine.foundNothing(for: parked)
        talk.lookInVain(at: .seconds(1))
        talk.machine.destroyed("g", of: FeedTalk.journal("eu"))
        _ = talk.wanted()
        talk.machine.foundNothing(for: looking)
        #expect(talk.wanted() == [])
        talk.look(["eu": StreamFacts(5)], at: .seconds(2))
        let reads = Array(talk.wanted().filter { $0.hasPrefix("read ") })
        #expect(reads == ["read \(parked) for a: eu 5-0", "read \(looking) for b: eu 5-0"])
        talk.machine.foundNothing(for: parked)
        talk.machine.foundNothing(for: looking)
        #expect(talk.wanted() == [])
        #expect(talk.machine.waiters.values.allSatisfy { $0.state == .parked })
    }
}
