import Lease
import Testing

@Suite("Workers of one region and their lease, by seed")
struct LeaseSimulationTests {
    @Test(
        "under pauses, kills, cut and slow connections and a flush, never do two workers act at once",
        arguments: 0..<400)
    func isExclusive(seed: Int) {
        var region = SimulatedRegion(seed: UInt64(seed))
        region.run(until: 60_000)
        #expect(region.offences.isEmpty, "seed \(seed): \(region.offences)")
        #expect(region.reigns > 1, "seed \(seed): nothing happened")
    }

    @Test("once all is well, and then again whenever its holder ends somehow, one works within three seconds")
    func isLive() {
        for seed in 0..<200 {
            var region = SimulatedRegion(seed: UInt64(seed))
            region.run(until: 20_000)
            region.calmDown()
            region.run(until: region.now + 1_500)  // what was slow under way arrives
            region.run(until: region.now + 3_000)
            #expect(region.acting != nil, "seed \(seed): nobody after calm")
            for end in SimulatedRegion.End.allCases {
                region.run(until: region.now + Int(seed % 50) * 40)
                guard let holder = region.acting else {
                    Issue.record("seed \(seed): nobody before \(end)")
                    return
                }
                region.end(holder, end)
                region.run(until: region.now + (end.isKnownAtOnce ? 600 : 3_000))
                #expect(region.acting.map { $0 != holder } == true, "seed \(seed): nobody after \(end)")
                region.restart(holder)
                region.run(until: region.now + 1_000)
            }
            #expect(region.offences.isEmpty, "seed \(seed): \(region.offences)")
        }
    }
}
