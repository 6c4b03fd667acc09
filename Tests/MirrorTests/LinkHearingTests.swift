import Mirror
import Testing

/// Two links that hear of each other: each knocks every half second and looks every quarter.
private struct TwoLinks {
    var east = LinkHearing(first: 1_000)
    var west = LinkHearing(first: 500_000)
    /// What stands in each region's Redis.
    var inEast: Knock?
    var inWest: Knock?
    var now = 0

    /// Lets both run for so long. The connection from east carries requests towards west and answers back; so does that
    /// from west, the other way round.
    mutating func run(
        for milliseconds: Int, eastRequests: Bool = true, eastAnswers: Bool = true, westRequests: Bool = true,
        westAnswers: Bool = true
    ) {
        for _ in stride(from: 0, to: milliseconds, by: 250) {
            now += 250
            if now.isMultiple(of: 500) {
                let knock = east.knock()
                if eastRequests { inWest = knock }
                if eastRequests, eastAnswers { east.answered(knock) }
                let other = west.knock()
                if westRequests { inEast = other }
                if westRequests, westAnswers { west.answered(other) }
            }
            if let inEast { east.looked(inEast) }
            if let inWest { west.looked(inWest) }
        }
    }

    var cuts: [LinkHearing.Cut] { [east.cut, west.cut] }
}

@Suite("What a link hears of its peer") struct LinkHearingTests {
    @Test("cut both ways: neither side can tell more")
    func both() {
        var links = TwoLinks()
        links.run(for: 5_000)
        links.run(
            for: 2_500, eastRequests: false, eastAnswers: false, westRequests: false, westAnswers: false)
        #expect(links.cuts == [.unknown, .unknown])
        // One way half a second before the other.
        links.run(for: 5_000)
        links.run(for: 500, eastRequests: false, eastAnswers: false)
        links.run(
            for: 2_500, eastRequests: false, eastAnswers: false, westRequests: false, westAnswers: false)
        #expect(links.cuts == [.unknown, .unknown])
    }

    @Test("the network cut from west to east: west, which still hears east, says that its own way is cut")
    func network() {
        var links = TwoLinks()
        links.run(for: 5_000)
        links.run(for: 2_500, eastAnswers: false, westRequests: false)
        #expect(links.cuts == [.unknown, .out])
        // Both have given up their connections; nothing is heard any more, and what is known stays known.
        links.run(
            for: 600_000, eastRequests: false, eastAnswers: false, westRequests: false, westAnswers: false)
        #expect(links.cuts == [.unknown, .out])
        links.run(for: 1_000)
        links.run(
            for: 2_500, eastRequests: false, eastAnswers: false, westRequests: false, westAnswers: false)
        #expect(links.cuts == [.unknown, .unknown])
    }

    @Test("only the connection from east cut: east hears from west which of its two ways it is")
    func connection() {
        for (requests, answers, cut) in [
            (false, true, LinkHearing.Cut.out), (true, false, .in), (false, false, .out),
        ] {
            var links = TwoLinks()
            links.run(for: 5_000)
            links.run(for: 2_500, eastRequests: requests, eastAnswers: answers)
            #expect(links.east.cut == cut)
        }
    }

    @Test("a link that was never answered: what the peer left long ago says nothing")
    func never() {
        var links = TwoLinks()
        links.inEast = Knock(number: 7, seen: 1_003)
        links.run(for: 5_000, eastRequests: false, westRequests: false)
        #expect(links.cuts == [.unknown, .unknown])
        links.run(for: 5_000, eastRequests: false)
        #expect(links.cuts == [.out, .unknown])
    }

    @Test("a peer's word of knocks that nobody made is not believed")
    func lies() {
        var links = TwoLinks()
        links.run(for: 5_000)
        _ = links.east.knock()
        for number in 1...4 {
            links.east.looked(Knock(number: UInt64(number), seen: .max))
        }
        #expect(links.east.cut == .out)
    }

    @Test(
        "what others left there is no knock",
        arguments: ["", " ", "1", "1 ", "1 2 3", "-1 2", "x y", "18446744073709551616 1"])
    func reads(_ text: String) {
        #expect(Knock(text: text) == nil)
        #expect(Knock(text: Knock(number: 3, seen: .max).text) == Knock(number: 3, seen: .max))
    }
}
