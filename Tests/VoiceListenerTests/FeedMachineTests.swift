import Journal
import RESP
import Testing

@testable import VoiceListener

@Suite("Feed of the voice port") struct FeedMachineTests {
    private static let nothing = "_"

    /// One client waits behind 5 in `eu`, whose reader reads.
    private static func waiting() -> FeedTalk {
        var talk = FeedTalk()
        talk.waiter = talk.ask("a", "eu 5")
        talk.look(["eu": StreamFacts(5)])
        talk.reader = talk.machine.readers.keys.first ?? 0
        #expect(talk.wanted() == ["start \(talk.reader)"])
        #expect(talk.cursors(talk.reader) == ["eu 5-0"])
        return talk
    }

    private static func entries(_ name: String, _ ids: Int...) -> String {
        "%1 $\(name.utf8.count) \(name) *\(ids.count)"
            + ids.map { " *2 $3 \($0)-0 *2 $1 n $1 \($0)" }.joined()
    }

    @Test("who waits gets what comes, once, and reads on from memory")
    func wakes() {
        var talk = Self.waiting()
        talk.read("eu", behind: 5, 6, 7)
        #expect(talk.wanted() == ["a: " + Self.entries("eu", 6, 7)])
        talk.ask("a", "eu 6")
        #expect(talk.wanted() == ["a: " + Self.entries("eu", 7)])
        talk.ask("a", "eu 7")
        #expect(talk.wanted() == [])
        #expect(talk.cursors(talk.reader) == ["eu 7-0"])
        talk.read("eu", behind: 7, 8)
        #expect(talk.wanted() == ["a: " + Self.entries("eu", 8)])
        #expect(talk.machine.waiters.isEmpty)
    }

    @Test("large entries of several streams are answered in parts, and one there is always")
    func largeAnswers() {
        var talk = FeedTalk {
            $0.streamBytes = 64 << 20
            $0.totalBytes = 640 << 20
        }
        talk.ask("a", "eu 0", "us 0")
        talk.look()
        let reader = talk.machine.readers.keys.first ?? 0
        _ = talk.wanted()
        let reads = [
            FeedTalk.large("eu", behind: 0, 2, bytes: 9 << 20), FeedTalk.large("us", behind: 0, 2, bytes: 5 << 20),
        ]
        talk.machine.read(FeedTalk.found(reads), by: reader, at: .zero)
        #expect(Self.counts(talk.machine.takeActions()) == [["eu": 1, "us": 1]])
        talk.ask("a", "eu 1", "us 1")
        #expect(Self.counts(talk.machine.takeActions()) == [["eu": 1, "us": 1]])
        talk.ask("b", "us 0", "eu 0")
        #expect(Self.counts(talk.machine.takeActions()) == [["us": 2]])
        let large = FeedTalk.large("eu", behind: 2, 1, bytes: 20 << 20)
        talk.machine.read(FeedTalk.found([large]), by: reader, at: .zero)
        talk.ask("c", "eu 2")
        #expect(Self.counts(talk.machine.takeActions()) == [["eu": 1]])
    }

    /// How many entries of each stream there are in each answer.
    private static func counts(_ actions: [FeedMachine<String>.Action]) -> [[String: Int]] {
        actions.compactMap { action in
            guard case .answer(_, .pairs(let pairs)) = action else { return nil }
            var counts: [String: Int] = [:]
            for pair in pairs {
                guard case .text(let name) = pair.key, case .elements(_, let count) = pair.value else { continue }
                counts[name] = count
            }
            return counts
        }
    }

    @Test("two who are at the same place get the same bytes")
    func shared() throws {
        var talk = Self.waiting()
        talk.ask("b", "eu 5")
        talk.ask("c", "eu 5", limit: 1)
        talk.read("eu", behind: 5, 6, 7)
        #expect(talk.machine.recentReplies.count == 2)
        #expect(
            talk.wanted() == [
                "a: " + Self.entries("eu", 6, 7), "b: " + Self.entries("eu", 6, 7), "c: " + Self.entries("eu", 6),
            ])
    }

    @Test("who was looked for in Redis before shares them as well")
    func sharedAfterLook() {
        var talk = Self.waiting()
        let early = talk.ask("b", "eu 2")
        _ = talk.wanted()
        talk.machine.foundNothing(for: early)
        talk.read("eu", behind: 5, 6)
        #expect(talk.machine.recentReplies.count == 1)
        #expect(talk.wanted() == ["a: " + Self.entries("eu", 6), "b: " + Self.entries("eu", 6)])
    }

    @Test("what memory does not reach back to is looked for in Redis, and waited for where it is not there")
    func behindMemory() {
        var talk = Self.waiting()
        let early = talk.ask("b", "eu 2")
        #expect(talk.wanted() == ["read \(early) for b: eu 2-0"])
        talk.machine.foundNothing(for: early)
        #expect(talk.wanted() == [])
        talk.read("eu", behind: 5, 6)
        #expect(talk.wanted() == ["a: " + Self.entries("eu", 6), "b: " + Self.entries("eu", 6)])
        let again = talk.ask("b", "eu 2")
        #expect(talk.wanted() == ["read \(again) for b: eu 2-0"])
        talk.machine.found(.integer(1), for: again)
        #expect(talk.wanted() == ["b: :1"])
    }

    @Test("entries that come while Redis is asked are found behind it")
    func overtaken() {
        var talk = Self.waiting()
        let early = talk.ask("b", "eu 2")
        talk.read("eu", behind: 5, 6)
        _ = talk.wanted()
        talk.machine.foundNothing(for: early)
        #expect(talk.wanted() == ["b: " + Self.entries("eu", 6)])
    }

    @Test("of several streams the first that has something is enough, and all that have are in the answer")
    func severalStreams() {
        var talk = FeedTalk()
        talk.ask("a", "eu 5", "us 3")
        talk.look(["eu": StreamFacts(5), "us": StreamFacts(3)])
        let reader = talk.machine.readers.keys.first ?? 0
        _ = talk.wanted()
        #expect(talk.cursors(reader) == ["eu 5-0", "us 3-0"])
        let reads = [
            FeedTalk.batch("us", behind: EntryID(first: 3, second: 0), [EntryID(first: 4, second: 0)]),
            FeedTalk.batch("eu", behind: EntryID(first: 5, second: 0), [EntryID(first: 6, second: 0)]),
        ]
        talk.machine.read(FeedTalk.found(reads), by: reader, at: .zero)
        #expect(
            talk.wanted() == ["a: %2 $2 eu *1 *2 $3 6-0 *2 $1 n $1 6 $2 us *1 *2 $3 4-0 *2 $1 n $1 4"])
        #expect(talk.machine.waiters.isEmpty)
    }

    @Test("who is ahead of a copy waits until it has caught up")
    func ahead() {
        var talk = Self.waiting()
        talk.ask("b", "eu 6")
        #expect(talk.wanted() == [])
        talk.read("eu", behind: 5, 6)
        #expect(talk.wanted() == ["a: " + Self.entries("eu", 6)])
        _ = talk.cursors(talk.reader)
        talk.read("eu", behind: 6, 7)
        #expect(talk.wanted() == ["b: " + Self.entries("eu", 7)])
    }

    @Test("whose time is up gets nothing, and so does whose client is gone")
    func ends() {
        var talk = Self.waiting()
        talk.ask("b", "eu 5", until: .milliseconds(105))
        talk.machine.reached(.milliseconds(105))
        #expect(talk.wanted() == [])
        talk.machine.reached(.milliseconds(110))
        #expect(talk.wanted() == ["b: " + Self.nothing])
        talk.machine.cancelled(talk.waiter)
        #expect(talk.wanted() == ["a: " + Self.nothing])
        talk.machine.cancelled(talk.waiter)
        #expect(talk.wanted() == [])
    }

    @Test("time that is up while Redis is asked is told behind its answer")
    func due() {
        var talk = Self.waiting()
        let early = talk.ask("b", "eu 2", until: .milliseconds(100))
        _ = talk.wanted()
        talk.machine.reached(.seconds(1))
        #expect(talk.wanted() == [])
        talk.machine.foundNothing(for: early)
        #expect(talk.wanted() == ["b: " + Self.nothing])
    }

    @Test("time that is up before a journal was looked at says nothing of what there is")
    func dueBeforeLook() {
        var talk = FeedTalk()
        talk.ask("a", "eu 5", until: .milliseconds(100))
        let early = talk.ask("b", "eu 2", until: .milliseconds(100))
        let consumer = talk.join("c", "g", "eu", until: .milliseconds(100))
        talk.machine.reached(.seconds(1))
        #expect(talk.wanted() == [])
        talk.look(["eu": StreamFacts(5)])
        #expect(
            Array(talk.wanted().dropFirst()) == [
                "a: " + Self.nothing, "read \(early) for b: eu 2-0", "read \(consumer) for c: eu 0-0",
            ])
        talk.machine.foundNothing(for: consumer)
        #expect(talk.wanted() == ["c: " + Self.nothing])
        talk.ask("d", "us 5", until: .milliseconds(1100))
        talk.machine.reached(.seconds(2))
        talk.lookInVain(at: .seconds(2))
        #expect(talk.wanted().contains("d: -UNAVAILABLE the region's Redis does not answer"))
        #expect(talk.machine.waiters.keys.sorted() == [early])
    }

    @Test("a new stream joins a reader that waits at once, up to its number of streams")
    func joins() {
        var talk = FeedTalk { $0.streamsPerReader = 2 }
        talk.ask("a", "s1 0")
        talk.look()
        let first = talk.machine.readers.keys.first ?? 0
        #expect(talk.wanted() == ["start \(first)"])
        _ = talk.cursors(first)
        talk.ask("b", "s2 0")
        talk.look()
        #expect(talk.wanted() == ["interrupt \(first)"])
        talk.ask("c", "s3 0")
        talk.look()
        let second = talk.machine.readers.keys.first { $0 != first } ?? 0
        #expect(talk.wanted() == ["start \(second)"])
        #expect(talk.cursors(first) == ["s1 0-0", "s2 0-0"])
        #expect(talk.cursors(second) == ["s3 0-0"])
    }

    @Test("a stream that nobody waits for is followed for a while, and its reader goes with the last")
    func lingers() {
        var talk = Self.waiting()
        talk.machine.cancelled(talk.waiter)
        _ = talk.wanted()
        #expect(talk.look(["eu": StreamFacts(5)], at: .seconds(10)) == ["eu"])
        #expect(talk.look(["eu": StreamFacts(5)], at: .seconds(70)) == ["eu"])
        #expect(talk.machine.streams.count == 1)
        #expect(talk.look(at: .seconds(71)) == [])
        #expect(talk.machine.streams.isEmpty && talk.machine.numbers.isEmpty)
        #expect(talk.wanted() == ["interrupt \(talk.reader)"])
        #expect(talk.cursors(talk.reader) == nil)
    }

    @Test("memory has its bounds, a stream and in all")
    func bounds() {
        var talk = FeedTalk {
            $0.streamBytes = 1500
            $0.totalBytes = 2000
        }
        talk.ask("a", "eu 0", "us 0")
        talk.look()
        let reader = talk.machine.readers.keys.first ?? 0
        for id in 1...UInt64(20) {
            talk.read("eu", behind: id - 1, id, by: reader)
            talk.read("us", behind: id - 1, id, by: reader)
            #expect(talk.machine.keptBytes <= 2000)
            #expect(talk.machine.keptBytes == talk.machine.streams.values.reduce(0) { $0 + $1.recent.byteCount })
        }
        #expect(talk.machine.streams.values.allSatisfy { 1...1000 ~= $0.recent.byteCount })
    }
}
