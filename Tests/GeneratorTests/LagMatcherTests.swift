@testable import Generator
import Journal
import NIOCore
import Testing

@Suite("Lag: acknowledged events and their copies, by ID")
struct LagMatcherTests {
    private func id(_ number: UInt64) -> EntryID { EntryID(first: number, second: 0) }
    private func time(_ microseconds: UInt64) -> NIODeadline { .uptimeNanoseconds(microseconds * 1000) }

    @Test("a copy is seen behind its acknowledgement, or before it")
    func eitherOrder() {
        var matcher = LagMatcher()
        #expect(matcher.acknowledged(id(1), sentAt: time(10)) == nil)
        #expect(matcher.backlog == 1)
        #expect(matcher.received(id(1), at: time(15)) == .microseconds(5))
        #expect(matcher.backlog == 0)
        #expect(matcher.received(id(2), at: time(30)) == nil)
        #expect(matcher.acknowledged(id(2), sentAt: time(20)) == .microseconds(10))
        #expect(matcher.backlog == 0)
    }

    @Test("somebody else's entries match nothing and spoil nothing")
    func foreign() {
        var matcher = LagMatcher()
        #expect(matcher.received(id(1), at: time(1)) == nil)
        #expect(matcher.acknowledged(id(2), sentAt: time(2)) == nil)
        #expect(matcher.received(id(2), at: time(4)) == .microseconds(2))
        #expect(matcher.missing == 0)
    }

    @Test("an event is missing when a later one is there without it")
    func missing() {
        var matcher = LagMatcher()
        for number in 1...3 as ClosedRange<UInt64> { _ = matcher.acknowledged(id(number), sentAt: time(number)) }
        #expect(matcher.received(id(3), at: time(9)) == .microseconds(6))
        #expect(matcher.missing == 2)
        #expect(matcher.backlog == 0)
    }

    @Test("a long backlog forgets when the oldest were sent, not that they are missing")
    func bounded() {
        var matcher = LagMatcher()
        let count = UInt64(LagMatcher.capacity) + 10
        for number in 1...count { _ = matcher.acknowledged(id(number), sentAt: time(number)) }
        #expect(matcher.backlog == Int(count))
        #expect(matcher.received(id(1), at: time(count)) == nil)
        #expect(matcher.backlog == Int(count) - 1)
        for number in 2...count { _ = matcher.received(id(number), at: time(count)) }
        #expect(matcher.backlog == 0)
        #expect(matcher.missing == 0)
    }
}
