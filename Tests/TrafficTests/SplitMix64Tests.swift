import Testing
import Traffic

@Suite("SplitMix64: numbers by seed")
struct SplitMix64Tests {
    @Test("gives the published numbers")
    func vector() {
        var random = SplitMix64(seed: 1_234_567)
        let numbers = (0..<3).map { _ in random.next() }
        #expect(numbers == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423])
    }

    @Test("choices stay inside and reach everything")
    func choices() {
        var random = SplitMix64(seed: 1)
        #expect(Set((0..<1_000).map { _ in random.below(7) }) == Set(0..<7))
        #expect(Set((0..<1_000).map { _ in random.weighted([1, 0, 3]) }) == [0, 2])
        #expect(random.pick([Int]()) == nil)
    }
}
