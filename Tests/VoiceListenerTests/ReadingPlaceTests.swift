import NIOCore
import NIOPosix
import PortFixtures
import RESPServer
import Synchronization
import Testing

@testable import VoiceListener

@Suite("Where journals are read", .timeLimit(.minutes(5))) struct ReadingPlaceTests {
    /// Runs `body` with three event loops, whose threads have nothing to do.
    private static func withLoops(
        _ body: (_ here: any EventLoop, _ there: any EventLoop, _ third: any EventLoop) -> Void
    )
        async throws
    {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 3)
        body(group.next(), group.next(), group.next())
        try await group.shutdownGracefully()
    }

    private func mailing(_ counts: [(Int, any EventLoop)]) -> ReadingPlace.Mailing {
        var mailing = ReadingPlace.Mailing()
        for (count, loop) in counts { mailing.add(count, on: loop) }
        return mailing
    }

    /// Where to go, after each of so many mailings alike.
    private func places(
        _ place: inout ReadingPlace, _ count: Int, _ mailing: ReadingPlace.Mailing
    ) -> [ObjectIdentifier?] {
        (0..<count).map { _ in place.sent(mailing).map { ObjectIdentifier($0) } }
    }

    @Test("moves to the loop that every mailing goes to, not before there were many of them")
    func steady() async throws {
        try await Self.withLoops { here, there, _ in
            var place = ReadingPlace(on: here)
            let found = places(&place, ReadingPlace.patience, mailing([(1, there)]))
            #expect(found.dropLast().allSatisfy { $0 == nil })
            #expect(found.last == .some(ObjectIdentifier(there)))
        }
    }

    @Test("what nobody gets says nothing")
    func nothingSent() async throws {
        try await Self.withLoops { here, there, _ in
            var place = ReadingPlace(on: here)
            _ = places(&place, ReadingPlace.patience - 1, mailing([(1, there)]))
            #expect(places(&place, 10, mailing([])).allSatisfy { $0 == nil })
            #expect(places(&place, 1, mailing([(2, there)])) == [ObjectIdentifier(there)])
        }
    }

    @Test(
        "one mailing that goes elsewhere begins the count anew",
        arguments: ["to its own loop", "to both", "to a crowd", "to a third loop"])
    func unsteady(_ interruption: String) async throws {
        try await Self.withLoops { here, there, third in
            var place = ReadingPlace(on: here)
            _ = places(&place, ReadingPlace.patience - 1, mailing([(1, there)]))
            let other =
                switch interruption {
                case "to its own loop": mailing([(1, here)])
                case "to both": mailing([(1, there), (1, here), (1, there)])
                case "to a crowd": mailing([(ReadingPlace.crowd + 1, there)])
                default: mailing([(1, third)])
                }
            #expect(places(&place, 1, other) == [nil])
            let found = places(&place, ReadingPlace.patience, mailing([(1, there)]))
            #expect(found.firstIndex { $0 != nil } == ReadingPlace.patience - 1)
        }
    }

    @Test("a reader moves from a crowd's place to that of the client that is left, who gets each entry once")
    func moves() async throws {
        try await ReadingPort.with { port in
            let crowd = try (0...ReadingPlace.crowd).map { _ in try port.client() }
            for client in crowd { client.send("XREAD BLOCK 60000 STREAMS \(ReadingPort.name) $") }
            try await port.untilWaiting(crowd.count)
            try await port.append(1)
            for client in crowd { #expect(await client.hear(until: "\r\n1\r\n").hasSuffix("\r\n1\r\n")) }
            try await port.until("the crowd's journal is read where no client is") {
                port.places.all.last === port.feed.eventLoop
            }
            let client = try port.client()
            var loop: (any EventLoop)?
            var id = 1
            // What somebody else sends of what was read, such as who looks at the journal just then, does not count.
            repeat {
                client.send("XREAD BLOCK 60000 STREAMS \(ReadingPort.name) \(id)")
                try await port.untilWaiting(1)
                loop = port.feed.state.withLock { $0.machine.waiters.values.first?.client.client.eventLoop }
                id += 1
                try await port.append(id)
                let end = "$1\r\nn\r\n$\("\(id)".utf8.count)\r\n\(id)\r\n"
                let heard = await client.hear(until: end)
                #expect(heard.hasSuffix(end) && heard.hasPrefix("*1\r\n*2\r\n"))
            } while id <= 4 * ReadingPlace.patience && port.places.all.last === port.feed.eventLoop
            try await port.until("it is read where that client is") { port.places.all.last === loop }
            #expect(loop !== port.feed.eventLoop)
        }
    }
}
