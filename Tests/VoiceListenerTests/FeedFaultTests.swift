import Journal
import Projection
import RESP
import Testing

@testable import VoiceListener

@Suite("Feed of the voice port, when things go wrong") struct FeedFaultTests {
    private static let wrongType = ReplyError(code: "WRONGTYPE", message: "no")
    private static let away = "-UNAVAILABLE the region's Redis does not answer"

    private static func stale(_ first: String) -> String {
        "-STALE \(first) is the first entry of eu: not all behind yours is there; read from 0"
    }

    private static func entries(_ name: String, _ id: Int) -> String {
        "%1 $\(name.utf8.count) \(name) *1 *2 $3 \(id)-0 *2 $1 n $1 \(id)"
    }

    private static func waiting(_ change: (inout FeedTalk) -> Void = { _ in }) -> FeedTalk {
        var talk = FeedTalk()
        talk.ask("a", "eu 5")
        change(&talk)
        talk.look(["eu": StreamFacts(5)])
        talk.reader = talk.machine.readers.keys.first ?? 0
        _ = talk.wanted()
        _ = talk.cursors(talk.reader)
        return talk
    }

    @Test("who waits stays while Redis is away, and goes on behind where it was")
    func away() {
        var talk = Self.waiting()
        talk.machine.readFailed(by: talk.reader, .unreachable("closed"), at: .zero)
        #expect(talk.cursors(talk.reader) == nil)
        talk.lookInVain(at: .seconds(1))
        _ = talk.wanted()
        talk.ask("b", "eu 5")
        talk.ask("c", "eu 4")
        talk.ask("d", "us 1")
        #expect(talk.wanted() == ["c: " + Self.away, "d: " + Self.away])
        talk.look(["eu": StreamFacts(6)], at: .seconds(2))
        let next = talk.machine.readers.keys.first ?? 0
        #expect(next != talk.reader)
        #expect(talk.wanted() == ["start \(next)"])
        #expect(talk.cursors(next)?.contains("eu 5-0") == true)
        talk.read("eu", behind: 5, 6)
        #expect(talk.wanted() == [])
        talk.read("eu", behind: 5, 6, by: next)
        #expect(talk.wanted() == ["a: " + Self.entries("eu", 6), "b: " + Self.entries("eu", 6)])
    }

    @Test("who asks first while Redis is away is told at once")
    func awayFromTheStart() {
        var talk = FeedTalk()
        talk.ask("a", "eu 5")
        talk.lookInVain()
        #expect(talk.wanted() == ["a: " + Self.away])
        talk.ask("a", "eu 5")
        #expect(talk.wanted() == ["a: " + Self.away])
        #expect(talk.machine.waiters.isEmpty)
    }

    @Test("a read in Redis that is not answered: who came for it is told, who waited before stays")
    func readUnanswered() {
        var talk = Self.waiting()
        let early = talk.ask("b", "eu 1")
        _ = talk.wanted()
        talk.machine.foundNoAnswer(for: early)
        #expect(talk.wanted().contains("b: " + Self.away))
        #expect(talk.machine.waiters.count == 1)
        talk.look(["eu": StreamFacts(5)], at: .seconds(1))
        #expect(talk.machine.isAway == false)
        #expect(talk.machine.waiters.values.allSatisfy { $0.state == .parked })
    }

    @Test("a read in Redis that is not answered is nobody else's trouble")
    func othersUnanswered() {
        var talk = Self.waiting()
        let early = talk.ask("b", "eu 1")
        talk.ask("c", "us 1")
        _ = talk.wanted()
        talk.machine.foundNoAnswer(for: early)
        #expect(talk.wanted() == ["b: " + Self.away])
        #expect(talk.machine.standing == .following)
        #expect(talk.cursors(talk.reader) == ["eu 5-0"])
        talk.read("eu", behind: 5, 6)
        talk.look(["us": StreamFacts(1)])
        #expect(talk.wanted().contains("a: " + Self.entries("eu", 6)))
        #expect(talk.machine.waiters.values.map(\.client) == ["c"])
    }

    @Test("who waited and was not answered is looked for again behind a look, which hurries no more than it may")
    func unansweredAgain() {
        var talk = Self.waiting()
        let waiter = talk.machine.waiters.keys.first ?? 0
        talk.look(["eu": StreamFacts(9, floor: 7)], at: .seconds(1))
        for time in [1_050, 1_100, 1_150] {
            #expect(talk.wanted().contains("read \(waiter) for a: eu 5-0"))
            talk.machine.foundNoAnswer(for: waiter)
            #expect(talk.wanted() == [])
            #expect(talk.look(["eu": StreamFacts(9, floor: 7)], at: .milliseconds(time - 1)) == [])
            #expect(talk.look(["eu": StreamFacts(9, floor: 7)], at: .milliseconds(time)) == ["eu"])
        }
        talk.machine.found(.integer(1), for: waiter)
        #expect(talk.wanted().contains("a: :1"))
        #expect(talk.machine.unanswered.isEmpty)
    }

    @Test("who was not answered, and waits on while Redis is away, is looked for when it is back")
    func unansweredAway() {
        var talk = Self.waiting()
        let waiter = talk.machine.waiters.keys.first ?? 0
        talk.look(["eu": StreamFacts(9, floor: 7)], at: .seconds(1))
        talk.machine.foundNoAnswer(for: waiter)
        talk.lookInVain(at: .seconds(2))
        #expect(talk.machine.standing == .away && talk.machine.waiters.count == 1)
        _ = talk.wanted()
        talk.look(["eu": StreamFacts(9, floor: 7)], at: .seconds(3))
        let reads = talk.wanted().filter { $0.hasPrefix("read ") }
        #expect(reads == ["read \(waiter) for a: eu 5-0"])
    }

    @Test("a copy that was forked: who has read of it is told, who has read nothing is not")
    func forked() {
        var talk = Self.waiting { $0.ask("b", "eu 0") }
        let early = talk.machine.waiters.first { $0.value.client == "b" }?.key ?? 0
        talk.machine.foundNothing(for: early)
        talk.watch("w", 1, "eu")
        _ = talk.wanted()
        talk.look(["eu": StreamFacts(9, birth: "other", first: 8)], at: .seconds(1))
        let told = talk.wanted()
        #expect(told.contains("a: " + Self.stale("8-0")))
        #expect(told.contains("push w: 1 eu STALE"))
        #expect(told.contains("interrupt \(talk.reader)"))
        #expect(told.contains { $0.hasPrefix("read \(early) for b") })
        #expect(talk.cursors(talk.reader) == ["eu 9-0"])
    }

    @Test("a stream that is born again while nobody waits for it: who comes next gets nothing of its old life")
    func rebornMeanwhile() {
        var talk = Self.waiting()
        talk.read("eu", behind: 5, 6)
        _ = talk.wanted()
        talk.look(["eu": StreamFacts(3, birth: "other", first: 1)], at: .seconds(1))
        _ = talk.wanted()
        talk.ask("b", "eu 5")
        let late = talk.ask("c", "eu 2")
        #expect(talk.wanted() == ["b: " + Self.stale("1-0"), "read \(late) for c: eu 2-0"])
    }

    @Test("a stream that ends before where it did: who is behind its end is told, also who comes later")
    func recreated() {
        var talk = Self.waiting()
        talk.read("eu", behind: 5, 8)
        talk.ask("a", "eu 8")
        _ = talk.wanted()
        talk.look(["eu": StreamFacts(2, first: 1)], at: .seconds(1))
        #expect(talk.wanted().contains("a: " + Self.stale("1-0")))
        talk.ask("b", "eu 7")
        talk.ask("c", "eu 9")
        #expect(talk.wanted() == ["b: " + Self.stale("1-0")])
        #expect(talk.machine.waiters.count == 1)
    }

    @Test("a stream that lost its end and went on: who has some of that is told, also later, and others go on")
    func lostEnd() {
        var talk = Self.waiting()
        talk.read("eu", behind: 5, 6, 7, 8)
        talk.ask("b", "eu 8")
        talk.watch("w", 1, "eu")
        _ = talk.wanted()
        var facts = StreamFacts(11, first: 1)
        facts.survivor = EntryID(first: 6, second: 0)
        talk.look(["eu": facts], at: .seconds(1))
        let told = talk.wanted()
        #expect(told.contains("b: " + Self.stale("1-0")))
        #expect(told.contains("push w: 1 eu STALE"))
        #expect(talk.cursors(talk.reader) == ["eu 11-0"])
        talk.ask("c", "eu 7")
        let before = talk.ask("d", "eu 6")
        let behind = talk.ask("e", "eu 9")
        #expect(
            talk.wanted() == [
                "c: " + Self.stale("1-0"), "read \(before) for d: eu 6-0", "read \(behind) for e: eu 9-0",
            ])
    }

    @Test("that nothing has the last ID of a stream says nothing where nobody saw an entry with it")
    func noEntryAtTheEnd() {
        var talk = Self.waiting()
        talk.watch("w", 1, "eu")
        _ = talk.wanted()
        var facts = StreamFacts(5)
        facts.survivor = EntryID(first: 4, second: 0)
        talk.look(["eu": facts], at: .seconds(1))
        #expect(talk.wanted() == [])
        facts = StreamFacts(5)
        facts.hasLast = true
        talk.look(["eu": facts], at: .seconds(2))
        facts = StreamFacts(9)
        facts.survivor = EntryID(first: 4, second: 0)
        talk.look(["eu": facts], at: .seconds(3))
        #expect(talk.wanted().contains("push w: 1 eu STALE"))
    }

    @Test("who comes with entries that a stream lost is told when it has gone beyond them")
    func lostBefore() {
        var talk = Self.waiting()
        talk.look(["eu": StreamFacts(2, first: 1)], at: .seconds(1))
        _ = talk.cursors(talk.reader)
        talk.read("eu", behind: 2, 7)
        _ = talk.wanted()
        talk.ask("b", "eu 4")
        talk.ask("c", "eu 2")
        #expect(talk.wanted() == ["b: " + Self.stale("1-0"), "c: " + Self.entries("eu", 7)])
    }

    @Test("a stream that lost its end while Redis was asked: that nothing was found says nothing of what it is now")
    func recreatedMeanwhile() {
        var talk = Self.waiting()
        let early = talk.ask("b", "eu 1")
        let consumer = talk.join("c", "g", "eu")
        #expect(talk.wanted() == ["read \(early) for b: eu 1-0", "read \(consumer) for c: eu 0-0"])
        talk.look(["eu": StreamFacts(2)], at: .seconds(1))
        #expect(talk.cursors(talk.reader) == ["eu 2-0"])
        talk.read("eu", behind: 2, 3)
        _ = talk.wanted()
        talk.machine.foundNothing(for: early)
        talk.machine.foundNothing(for: consumer)
        #expect(talk.wanted() == ["read \(early) for b: eu 1-0", "read \(consumer) for c: eu 0-0"])
    }

    @Test("consumers who wait for a stream that is born again look whether their group is there")
    func groupOfReborn() {
        var talk = FeedTalk()
        let consumer = talk.join("c", "g", "eu")
        talk.look(["eu": StreamFacts(5)])
        talk.machine.foundNothing(for: consumer)
        _ = talk.wanted()
        talk.look(["eu": StreamFacts(3, birth: "other")], at: .seconds(1))
        #expect(talk.wanted().contains { $0.hasPrefix("read \(consumer) for c") })
    }

    @Test("a look that left before entries came says nothing against them")
    func overtakenLook() {
        var talk = Self.waiting()
        let journals = talk.machine.takeLooks(at: .seconds(1)).map(\.journal)
        talk.read("eu", behind: 5, 6)
        talk.ask("a", "eu 6")
        _ = talk.wanted()
        talk.machine.looked(journals.map { ($0, StreamLook.facts(StreamFacts(5))) })
        #expect(talk.wanted() == [])
        #expect(talk.machine.waiters.count == 1)
    }

    @Test("a mark that is drawn, or lost, is no other mark")
    func firstMark() {
        var talk = FeedTalk()
        talk.ask("a", "eu 5")
        talk.look(["eu": StreamFacts(5, birth: nil)])
        _ = talk.wanted()
        for (time, birth) in ["x", nil, "x"].enumerated() {
            talk.look(["eu": StreamFacts(5, birth: birth)], at: .seconds(time + 1))
        }
        #expect(talk.wanted() == [])
        talk.look(["eu": StreamFacts(5, birth: "y")], at: .seconds(9))
        #expect(talk.wanted().contains("a: " + Self.stale("0-0")))
    }

    @Test("trimmed beyond where the feed was: whoever needs to know is looked for in Redis")
    func trimmed() {
        var talk = Self.waiting()
        let waiter = talk.machine.waiters.keys.first ?? 0
        talk.look(["eu": StreamFacts(9, floor: 7)], at: .seconds(1))
        #expect(talk.wanted().contains("read \(waiter) for a: eu 5-0"))
    }

    @Test("a stream that was removed and has its floor still: who watches is told once, and again of what came unseen")
    func floorAboveEnd() {
        var talk = Self.waiting { $0.watch("w", 1, "eu") }
        for time in 1...3 {
            talk.look(["eu": StreamFacts(0, floor: 3)], at: .seconds(time))
            #expect(talk.wanted().contains("push w: 1 eu STALE") == (time == 1))
        }
        talk.look(["eu": StreamFacts(9, floor: 3)], at: .seconds(4))
        #expect(talk.wanted().contains("push w: 1 eu STALE"))
    }

    @Test("trimmed beyond where a reader was while the worker was stopped: what it read then is not taken to follow")
    func trimmedWhileStopped() {
        var talk = Self.waiting()
        let waiter = talk.machine.waiters.keys.first ?? 0
        talk.watch("w", 1, "eu")
        _ = talk.wanted()
        talk.read("eu", behind: 5, at: .seconds(2))
        talk.read("eu", behind: 5, 61, at: .seconds(60))
        #expect(talk.wanted() == [])
        #expect(talk.cursors(talk.reader) == nil)
        #expect(talk.look(["eu": StreamFacts(61, floor: 60)], at: .seconds(60)) == ["eu"])
        let told = talk.wanted()
        #expect(told.contains("push w: 1 eu STALE"))
        #expect(told.contains("read \(waiter) for a: eu 5-0"))
        #expect(talk.cursors(talk.machine.readers.keys.first ?? 0) == ["eu 61-0"])
    }

    @Test("what is read after the worker was stopped is read again once its journal was looked at, and nobody is told")
    func stopped() {
        var talk = Self.waiting()
        // A look that left before says nothing of the time in which nothing ran.
        let journals = talk.machine.takeLooks(at: .seconds(1)).map(\.journal)
        talk.read("eu", behind: 5, 6, at: .seconds(60))
        talk.machine.looked(journals.map { ($0, StreamLook.facts(StreamFacts(5))) })
        let early = talk.machine.readers.keys.first ?? 0
        talk.read("eu", behind: 5, 6, by: early, at: .seconds(60))
        #expect(talk.wanted() == ["start \(early)"])
        #expect(talk.look(["eu": StreamFacts(6)], at: .seconds(60)) == ["eu"])
        let next = talk.machine.readers.keys.first ?? 0
        talk.read("eu", behind: 5, 6, by: next, at: .seconds(61))
        #expect(talk.wanted() == ["start \(next)", "a: " + Self.entries("eu", 6)])
    }

    @Test("a journal that joins a reader is known as of its look, whatever the reader answers before")
    func joinedEarly() {
        var talk = Self.waiting()
        talk.ask("b", "us 3")
        let journals = talk.machine.takeLooks(at: .zero).map(\.journal)
        talk.read("eu", behind: 5, at: .seconds(2))
        talk.machine.looked(journals.map { ($0, StreamLook.facts(StreamFacts(3))) })
        _ = talk.wanted()
        talk.read("eu", behind: 5, at: .seconds(3))
        #expect(talk.cursors(talk.reader) == ["eu 5-0", "us 3-0"])
        talk.read("us", behind: 3, 9, at: .seconds(4))
        #expect(talk.wanted() == [])
        #expect(talk.look(["eu": StreamFacts(5), "us": StreamFacts(9, floor: 8)], at: .seconds(4)) == ["eu", "us"])
        #expect(talk.wanted().contains { $0.hasPrefix("read ") && $0.hasSuffix(" for b: us 3-0") })
    }

    @Test("of several journals none is read on behind an absence of Redis before it was looked at itself")
    func backBeforeLooked() {
        var talk = Self.waiting()
        talk.ask("b", "us 3")
        talk.look(["us": StreamFacts(3)])
        talk.lookInVain(at: .seconds(1))
        let journals = talk.machine.takeLooks(at: .seconds(2)).map(\.journal)
        talk.machine.looked(journals.filter { $0.origin == "eu" }.map { ($0, StreamLook.facts(StreamFacts(5))) })
        #expect(talk.cursors(talk.machine.readers.keys.first ?? 0) == ["eu 5-0"])
        talk.machine.looked(journals.filter { $0.origin == "us" }.map { ($0, StreamLook.facts(StreamFacts(3))) })
        #expect(talk.cursors(talk.machine.readers.keys.first ?? 0) == ["eu 5-0", "us 3-0"])
    }

    @Test("a key of another kind: who waits for it is told so, and others are read on")
    func refused() {
        var talk = FeedTalk()
        talk.ask("a", "eu 5")
        talk.ask("b", "us 5")
        let journals = talk.machine.takeLooks(at: .zero).map(\.journal)
        talk.machine.looked(
            journals.map {
                ($0, $0.origin == "eu" ? StreamLook.refused(Self.wrongType) : .facts(StreamFacts(5)))
            })
        #expect(talk.wanted().contains("a: -WRONGTYPE no"))
        #expect(talk.machine.streams.count == 1)
        #expect(talk.cursors(talk.machine.readers.keys.first ?? 0) == ["us 5-0"])
    }

    @Test("a read that is refused: its journals are looked at, and but for the one that is none they are read on")
    func refusedRead() {
        var talk = Self.waiting()
        talk.ask("b", "us 3")
        talk.look(["us": StreamFacts(3)])
        _ = talk.wanted()
        talk.machine.readFailed(by: talk.reader, .server(code: "WRONGTYPE", message: "no"), at: .zero)
        #expect(talk.wanted() == [])
        #expect(talk.cursors(talk.reader) == nil)
        let journals = talk.machine.takeLooks(at: .milliseconds(50)).map(\.journal)
        #expect(journals.map(\.origin) == ["eu", "us"])
        talk.machine.looked(
            journals.map {
                ($0, $0.origin == "us" ? StreamLook.refused(Self.wrongType) : .facts(StreamFacts(5)))
            })
        let next = talk.machine.readers.keys.first ?? 0
        #expect(Set(talk.wanted()) == ["start \(next)", "b: -WRONGTYPE no"])
        #expect(talk.cursors(next) == ["eu 5-0"])
        #expect(talk.machine.isAway == false)
    }

    @Test("who watches what cannot be read any more is told once, and again when it can be")
    func refusedWatch() {
        var talk = FeedTalk()
        talk.watch("w", 1, "eu")
        talk.look(["eu": StreamFacts(5)])
        _ = talk.wanted()
        for time in 1...3 {
            let journals = talk.machine.takeLooks(at: .seconds(time)).map(\.journal)
            talk.machine.looked(journals.map { ($0, StreamLook.refused(Self.wrongType)) })
            #expect(talk.wanted().contains("push w: 1 eu STALE") == (time == 1))
        }
        talk.look(["eu": StreamFacts(9)], at: .seconds(4))
        #expect(talk.wanted().contains("push w: 1 eu STALE"))
    }

    @Test("a batch that does not follow what is known, or comes from a reader of before, is passed over")
    func stray() {
        var talk = Self.waiting()
        talk.read("eu", behind: 4, 6)
        talk.read("eu", behind: 5, 6, by: talk.reader + 1000)
        talk.read("us", behind: 0, 6)
        #expect(talk.wanted() == [])
        #expect(talk.cursors(talk.reader) == ["eu 5-0"])
    }

    @Test("consumers of a group look once, then no more of them than there are entries")
    func groups() {
        var talk = FeedTalk()
        let consumers = ["a", "b", "c"].map { talk.join($0, "g", "eu") }
        talk.look(["eu": StreamFacts(5)])
        let reader = talk.machine.readers.keys.first ?? 0
        let looked = zip(consumers, ["a", "b", "c"]).map { "read \($0) for \($1): eu 0-0" }
        #expect(Array(talk.wanted().dropFirst()) == looked)
        for consumer in consumers { talk.machine.foundNothing(for: consumer) }
        #expect(talk.wanted() == [])
        talk.read("eu", behind: 5, 6, 7, by: reader)
        let woken = talk.wanted()
        #expect(woken.count == 2)
        // What a consumer was given must reach it, even where its time is up.
        talk.machine.cancelled(consumers[0])
        #expect(talk.wanted() == [])
        talk.machine.found(.integer(1), for: consumers[0])
        talk.machine.foundNothing(for: consumers[1])
        #expect(talk.wanted() == ["a: :1"])
        #expect(talk.machine.waiters.count == 2)
    }

    @Test("a consumer that is woken and refused leaves what it was woken for to the others of its group")
    func refusedConsumer() {
        var talk = FeedTalk()
        let (first, second) = (talk.join("a", "g", "eu", "us"), talk.join("b", "g", "eu"))
        let (other, elsewhere) = (talk.join("c", "h", "eu"), talk.join("d", "g", "us"))
        talk.look(["eu": StreamFacts(5), "us": StreamFacts(5)])
        for consumer in [first, second, other, elsewhere] { talk.machine.foundNothing(for: consumer) }
        _ = talk.wanted()
        talk.read("eu", behind: 5, 6, by: talk.machine.readers.keys.first)
        #expect(talk.wanted() == ["read \(first) for a: eu 5-0, us 5-0", "read \(other) for c: eu 5-0"])
        talk.machine.found(.error("NOGROUP", "no"), for: first)
        #expect(talk.wanted() == ["a: -NOGROUP no", "read \(second) for b: eu 5-0"])
        talk.machine.foundNothing(for: second)
        talk.machine.found(.error("NOGROUP", "no"), for: other)
        #expect(talk.wanted() == ["c: -NOGROUP no"])
    }

    @Test("a consumer that is woken and not answered leaves that to the others of its group")
    func unansweredConsumer() {
        var talk = FeedTalk()
        let (first, second) = (talk.join("a", "g", "eu"), talk.join("b", "g", "eu"))
        let other = talk.join("c", "h", "eu")
        talk.look(["eu": StreamFacts(5)])
        for consumer in [first, second, other] { talk.machine.foundNothing(for: consumer) }
        _ = talk.wanted()
        talk.read("eu", behind: 5, 6, by: talk.machine.readers.keys.first)
        #expect(talk.wanted() == ["read \(first) for a: eu 5-0", "read \(other) for c: eu 5-0"])
        talk.machine.foundNothing(for: other)
        talk.machine.foundNoAnswer(for: first)
        #expect(talk.wanted() == ["a: " + Self.away])
        #expect(talk.look(["eu": StreamFacts(6)], at: .milliseconds(50)) == ["eu"])
        #expect(talk.wanted() == ["read \(second) for b: eu 5-0"])
        #expect(talk.machine.unanswered.isEmpty)
    }

    @Test("consumers of a group that is destroyed look at once, those of another do not")
    func destroyedGroup() {
        var talk = FeedTalk()
        let (parked, looking, other) = (talk.join("a", "g", "eu"), talk.join("b", "g", "eu"), talk.join("c", "h", "eu"))
        talk.look(["eu": StreamFacts(5)])
        talk.machine.foundNothing(for: parked)
        talk.machine.foundNothing(for: other)
        _ = talk.wanted()
        talk.machine.destroyed("g", of: FeedTalk.journal("eu"))
        #expect(talk.wanted() == ["read \(parked) for a: eu 5-0"])
        talk.machine.foundNothing(for: looking)
        #expect(talk.wanted() == ["read \(looking) for b: eu 5-0"])
        talk.machine.destroyed("g", of: FeedTalk.journal("us"))
        #expect(talk.wanted() == [])
    }

    @Test("a watch begins with where the regions are, and is told what comes until it ends")
    func watches() {
        var talk = FeedTalk()
        let first = talk.watch("w", 1, "eu", "us")
        talk.look(["eu": StreamFacts(5), "us": StreamFacts(3)])
        let reader = talk.machine.readers.keys.first ?? 0
        talk.watch("v", 1, "eu")
        talk.watch("v", 2, "eu")
        let begun = "%2 $5 watch :1 $9 positions %2 $2 eu $3 5-0 $2 us $3 3-0"
        #expect(talk.wanted().contains("w: " + begun))
        talk.machine.reached(.seconds(60))
        talk.read("eu", behind: 5, 6, 7, by: reader)
        #expect(talk.wanted() == ["push w v: 1 eu 6-0 7-0", "push v: 2 eu 6-0 7-0"])
        talk.machine.unwatched(first, by: "w")
        talk.machine.unwatched(first, by: "w")
        talk.machine.unwatched(first, by: nil)
        #expect(talk.wanted() == ["w: +OK", "w: -NOTFOUND no such watch"])
        talk.read("us", behind: 3, 4, by: reader)
        talk.read("eu", behind: 7, 8, by: reader)
        #expect(talk.wanted() == ["push v: 1 eu 8-0", "push v: 2 eu 8-0"])
    }

    @Test("who watches, before and behind who waits, takes nobody's place")
    func watchesBeside() {
        var talk = FeedTalk()
        let first = talk.watch("v", 1, "eu")
        talk.ask("a", "eu 5")
        let consumer = talk.join("c", "g", "eu")
        talk.look(["eu": StreamFacts(5)])
        talk.watch("w", 1, "eu")
        talk.machine.foundNothing(for: consumer)
        talk.reader = talk.machine.readers.keys.first ?? 0
        _ = talk.wanted()
        talk.read("eu", behind: 5, 6)
        #expect(
            talk.wanted() == [
                "push v w: 1 eu 6-0", "a: " + Self.entries("eu", 6), "read \(consumer) for c: eu 5-0",
            ])
        talk.machine.found(.integer(1), for: consumer)
        _ = talk.wanted()
        talk.read("eu", behind: 6, 7)
        #expect(talk.wanted() == ["push v w: 1 eu 7-0"])
        talk.machine.unwatched(first, by: nil)
        talk.ask("a", "eu 7")
        talk.read("eu", behind: 7, 8)
        #expect(talk.wanted() == ["push w: 1 eu 8-0", "a: " + Self.entries("eu", 8)])
    }

    @Test("a watch that does not begin in time is refused")
    func lateWatch() {
        var talk = FeedTalk()
        talk.watch("w", 1, "eu")
        talk.machine.reached(.seconds(5))
        #expect(talk.wanted() == ["w: " + Self.away])
        #expect(talk.machine.waiters.isEmpty)
    }
}
