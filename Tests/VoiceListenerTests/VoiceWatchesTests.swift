import Testing

@testable import VoiceListener

@Suite("Watches of a connection") struct VoiceWatchesTests {
    @Test("a watch that ends before the feed has a number for it was one, and is not wanted then")
    func endsEarly() {
        let watches = VoiceWatches()
        let number = watches.reserve(for: 7)?.number ?? 0
        let end = watches.end(number, for: 7)
        #expect(end.isKnown && end.id == nil)
        #expect(!watches.began(number, as: 11, for: 7))
        #expect(!watches.end(number, for: 7).isKnown)
    }

    @Test("a watch that began ends once, with the feed's number")
    func ends() {
        let watches = VoiceWatches()
        let number = watches.reserve(for: 7)?.number ?? 0
        #expect(watches.began(number, as: 11, for: 7))
        let end = watches.end(number, for: 7)
        #expect(end.isKnown && end.id == 11)
        #expect(!watches.end(number, for: 7).isKnown)
    }

    @Test("all watches of a client that is gone end, and none begins")
    func gone() {
        let watches = VoiceWatches()
        let first = watches.reserve(for: 7)?.number ?? 0
        let second = watches.reserve(for: 7)?.number ?? 0
        #expect(watches.began(first, as: 11, for: 7))
        #expect(watches.ended(7) == [11])
        #expect(!watches.began(second, as: 12, for: 7))
    }
}
