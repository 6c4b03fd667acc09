import Testing

@testable import Worker

@Suite("Forgetting ONCE keys")
struct OncePruningTests {
    private let limit = OncePruning().bite

    @Test("soon again behind a full bite, else after a while")
    func pauses() {
        var pruning = OncePruning()
        #expect(pruning.pause == 0)
        var wasRefused = pruning.forgot(limit)
        #expect(!wasRefused && pruning.pause == 1)
        pruning.asked()
        #expect(pruning.pause == 0)
        wasRefused = pruning.forgot(limit - 1)
        #expect(!wasRefused && pruning.pause == PostgresProvisioning.pruneEvery)
    }

    @Test("a refusal is news once, and so is its end")
    func refusals() {
        var pruning = OncePruning()
        var news = [pruning.refused(sqlState: "42501"), pruning.refused(sqlState: "42501")]
        news += [pruning.refused(sqlState: "55P03"), pruning.forgot(1), pruning.forgot(1)]
        news.append(pruning.refused(sqlState: "55P03"))
        #expect(news == [true, false, true, true, false, true])
        #expect(pruning.bite == limit && pruning.pause == PostgresProvisioning.pruneEvery)
    }

    @Test("what takes too long is tried with half as many, down to one")
    func halves() {
        var pruning = OncePruning()
        let isNews = pruning.refused(sqlState: "57014")
        #expect(isNews && pruning.bite == limit / 2 && pruning.pause == 1)
        let wasRefused = pruning.forgot(limit / 2)
        #expect(wasRefused && pruning.pause == 1)
        for _ in 0..<20 { _ = pruning.refused(sqlState: "57014") }
        #expect(pruning.bite == 1 && pruning.pause == PostgresProvisioning.pruneEvery)
    }
}
