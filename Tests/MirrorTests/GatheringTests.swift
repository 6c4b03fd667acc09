import Testing

@testable import Mirror

@Suite("How long entries gather") struct GatheringTests {
    @Test("only while packets are lost, and never longer than a tenth of the round trip or 25 ms")
    func pause() {
        var gathering = Gathering()
        func looked(_ milliseconds: Int, _ retransmissions: UInt32, at seconds: Int) -> Duration {
            gathering.looked(
                at: Gathering.Path(roundTrip: .milliseconds(milliseconds), retransmissions: retransmissions),
                now: .seconds(seconds))
            return gathering.pause
        }
        // What was lost before is not known to be lost now.
        #expect(looked(200, 7, at: 1) == .zero)
        #expect(looked(200, 8, at: 2) == .milliseconds(20))
        #expect(looked(200, 8, at: 11) == .milliseconds(20))
        #expect(looked(200, 8, at: 12) == .zero)
        #expect(looked(900, 9, at: 13) == .milliseconds(25))
        #expect(looked(5, 10, at: 14) == .zero)
    }
}
