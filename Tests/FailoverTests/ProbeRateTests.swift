import Failover
import Testing

@Suite("The rate that probes show")
struct ProbeRateTests {
    /// Takes probes that were written in this order: the second of each, and its count.
    private func highest(_ probes: [(UInt64, UInt64)]) -> Double? {
        var rate = ProbeRate()
        for (second, voice) in probes.reversed() { rate.take(time: second * 1000, voice: voice) }
        return rate.highest
    }

    @Test("the highest of probes in a row counts, wherever it stands")
    func row() {
        #expect(highest([(1, 10), (2, 20), (3, 90), (4, 95)]) == 70)
        #expect(highest([(1, 10), (2, 20), (3, 21), (4, 95)]) == 74)
        #expect(highest([(1, 10), (2, 10), (4, 10)]) == 0)
    }

    @Test("too few probes show none")
    func few() {
        #expect(highest([]) == nil)
        #expect(highest([(1, 10)]) == nil)
        #expect(highest([(1, 10), (2, 20)]) == nil)
        #expect(highest([(1, 10), (2, 20), (3, 25)]) == 5)
    }

    @Test("a worker that begins to count anew is no burst, whether it was away for a moment or for long")
    func restart() {
        let before = [(1, 900_000), (2, 900_050), (3, 900_100)] as [(UInt64, UInt64)]
        #expect(highest(before + [(5, 0), (6, 900_200), (7, 900_250)]) == 50)
        #expect(highest(before + [(60, 900_100), (61, 902_900), (62, 902_950)]) == 50)
        #expect(highest([(5, 0), (6, 900_200), (7, 900_250), (8, 900_300)]) == 50)
        #expect(highest(before + [(5, 0), (6, 900_200)]) == 50)
    }

    @Test("times and counts of garbage are no rate")
    func garbage() {
        var rate = ProbeRate()
        let probes: [(UInt64, UInt64)] = [(0, 0), (.max, .max), (.max, 0), (5, 7), (5, 3), (9, 1), (.max, 2)]
        for (time, voice) in probes { rate.take(time: time, voice: voice) }
        #expect(rate.highest == nil)
    }
}
