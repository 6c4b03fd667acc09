import NIOCore
import Testing
import Traffic
import WANProxy

@Suite("Delay line") struct DelayLineTests {
    @Test("what is sent arrives after the delay, and the end behind it")
    func delays() {
        var line = DelayLine(LinkConditions(delay: .milliseconds(100)))
        line.received(ByteBuffer(string: "a"), now: at(0))
        line.received(ByteBuffer(string: "b"), now: at(10))
        line.ended(now: at(10))
        #expect(line.wakeTime == at(100))
        #expect(line.next(now: at(99)) == nil)
        #expect(line.next(now: at(100)) == bytes("a"))
        #expect(line.next(now: at(100)) == nil)
        #expect(line.next(now: at(110)) == bytes("b"))
        #expect(line.next(now: at(110)) == .end)
        #expect(line.wakeTime == nil)
        #expect(line.queuedBytes == 0)
        #expect(line.passedBytes == 2)
    }

    @Test("delay does not limit how much is on its way")
    func carriesMany() {
        var line = DelayLine(LinkConditions(delay: .milliseconds(100)))
        for millisecond in 0..<100 {
            #expect(line.wantsMore)
            line.received(ByteBuffer(repeating: 0, count: 10_000), now: at(millisecond))
        }
        #expect(line.queuedBytes == 1_000_000)
        #expect(drained(&line, now: at(149)) == 500_000)
        #expect(drained(&line, now: at(199)) == 500_000)
    }

    @Test("a rate spreads what came at once, and a full line makes the sender wait")
    func paces() {
        var line = DelayLine(LinkConditions(delay: .milliseconds(50), bytesPerSecond: 1_000_000))
        line.received(ByteBuffer(repeating: 0, count: 1_000_000), now: at(0))
        #expect(!line.wantsMore)
        #expect(drained(&line, now: at(50)) == 0)
        #expect(drained(&line, now: at(150)) == 100_000)
        #expect(!line.wantsMore)
        #expect(drained(&line, now: at(850)) == 700_000)
        #expect(line.wantsMore)
        #expect(drained(&line, now: at(1050)) == 200_000)
    }

    @Test("a shorter delay overtakes nothing")
    func keepsOrder() {
        var line = DelayLine(LinkConditions(delay: .milliseconds(100)))
        line.received(ByteBuffer(string: "a"), now: at(0))
        line.changed(to: LinkConditions())
        line.received(ByteBuffer(string: "b"), now: at(1))
        #expect(line.next(now: at(50)) == nil)
        #expect(line.next(now: at(100)) == bytes("a"))
        #expect(line.next(now: at(100)) == bytes("b"))
    }

    @Test("a stall holds everything back, the end too, and loses nothing")
    func stalls() {
        var line = DelayLine(LinkConditions())
        line.received(ByteBuffer(string: "a"), now: at(0))
        line.changed(to: LinkConditions(passage: .stalled))
        line.received(ByteBuffer(string: "b"), now: at(1))
        line.ended(now: at(2))
        #expect(line.next(now: at(1000)) == nil)
        #expect(line.wakeTime == nil)
        line.received(ByteBuffer(repeating: 0, count: 64 << 20), now: at(3))
        #expect(!line.wantsMore)
        line.changed(to: LinkConditions())
        #expect(!line.isBroken)
        #expect(line.next(now: at(1001)) == bytes("a"))
        #expect(line.next(now: at(1001)) == bytes("b"))
        #expect(line.next(now: at(1001)) == .end)
    }

    @Test("a cut swallows what is on its way and what comes; nothing ever arrives behind the gap")
    func cuts() {
        for isBefore in [true, false] {
            var line = DelayLine(LinkConditions(delay: .milliseconds(10)))
            if isBefore { line.received(ByteBuffer(string: "a"), now: at(0)) }
            line.changed(to: LinkConditions(passage: .cut))
            #expect(line.wantsMore)
            if !isBefore { line.received(ByteBuffer(string: "a"), now: at(0)) }
            line.changed(to: LinkConditions())
            #expect(line.isBroken)
            line.received(ByteBuffer(string: "b"), now: at(20))
            line.ended(now: at(20))
            #expect(line.next(now: at(1000)) == nil)
            #expect(line.queuedBytes == 0)
        }
    }

    @Test("a cut that swallowed nothing breaks nothing")
    func sparesIdle() {
        var line = DelayLine(LinkConditions())
        line.changed(to: LinkConditions(passage: .cut))
        line.changed(to: LinkConditions())
        line.received(ByteBuffer(string: "a"), now: at(0))
        #expect(!line.isBroken)
        #expect(line.next(now: at(0)) == bytes("a"))
    }

    @Test("a connection that closes during a cut does so unheard")
    func swallowsEnd() {
        var line = DelayLine(LinkConditions(passage: .cut))
        line.ended(now: at(0))
        line.changed(to: LinkConditions())
        #expect(line.isBroken)
        #expect(line.next(now: at(1000)) == nil)
    }

    @Test("a reset comes in the middle of a piece, exactly where it was ordered")
    func resets() {
        var line = DelayLine(LinkConditions())
        line.arm(resetAfter: 3)
        line.received(ByteBuffer(string: "ab"), now: at(0))
        line.received(ByteBuffer(string: "cdef"), now: at(0))
        #expect(line.next(now: at(0)) == bytes("ab"))
        #expect(line.next(now: at(0)) == bytes("c"))
        #expect(line.next(now: at(0)) == .reset)
    }

    @Test("a sender's reset arrives behind what it sent")
    func passesReset() {
        var line = DelayLine(LinkConditions(delay: .milliseconds(5)))
        line.received(ByteBuffer(string: "a"), now: at(0))
        line.broke(now: at(0))
        #expect(line.next(now: at(5)) == bytes("a"))
        #expect(line.next(now: at(5)) == .reset)
    }

    @Test("whatever the conditions, what arrives is a beginning of what was sent", arguments: 0..<100 as Range<UInt64>)
    func delivers(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var line = DelayLine(LinkConditions())
        var sent: [UInt8] = []
        var arrived: [UInt8] = []
        var now = 0
        for _ in 0..<300 {
            now += Int.random(in: 0...20, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: line.changed(to: conditions(using: &random, cuts: seed.isMultiple(of: 4)))
            case 1...4:
                let piece = Array(
                    repeating: UInt8(truncatingIfNeeded: now), count: .random(in: 0...5000, using: &random))
                sent += piece
                line.received(ByteBuffer(bytes: piece), now: at(now))
            default: take(from: &line, now: at(now), into: &arrived)
            }
        }
        line.changed(to: LinkConditions())
        while let time = line.wakeTime { take(from: &line, now: time, into: &arrived) }
        #expect(sent.starts(with: arrived), "seed \(seed)")
        #expect(line.isBroken || arrived.count == sent.count, "seed \(seed)")
        #expect(line.queuedBytes == 0)
        #expect(line.passedBytes == arrived.count)
    }

    private func conditions(using random: inout SplitMix64, cuts: Bool) -> LinkConditions {
        let passages: [LinkConditions.Passage] = cuts ? [.open, .stalled, .cut] : [.open, .stalled]
        return LinkConditions(
            passage: passages.randomElement(using: &random) ?? .open,
            delay: .milliseconds(Int.random(in: 0...50, using: &random)),
            bytesPerSecond: Bool.random(using: &random) ? Int.random(in: 1000...1_000_000, using: &random) : nil)
    }

    private func take(from line: inout DelayLine, now: NIODeadline, into arrived: inout [UInt8]) {
        while let release = line.next(now: now) {
            if case .bytes(let bytes) = release { arrived += bytes.readableBytesView }
        }
    }

    private func drained(_ line: inout DelayLine, now: NIODeadline) -> Int {
        var arrived: [UInt8] = []
        take(from: &line, now: now, into: &arrived)
        return arrived.count
    }

    private func bytes(_ text: String) -> DelayLine.Release { .bytes(ByteBuffer(string: text)) }

    private func at(_ milliseconds: Int) -> NIODeadline { .uptimeNanoseconds(UInt64(milliseconds) * 1_000_000) }
}
