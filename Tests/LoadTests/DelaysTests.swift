import Testing

@testable import regionsync_load

@Suite("Delays")
struct DelaysTests {
    @Test("percentiles are samples: the smallest that the share does not exceed")
    func percentiles() {
        var delays = Delays()
        for millisecond in (1...200).reversed() { delays.add(Int64(millisecond) * 1_000_000) }
        let summary = delays.summary
        #expect(summary.count == 200)
        #expect(summary.p50Ms == 100)
        #expect(summary.p99Ms == 198)
        #expect(summary.maxMs == 200)
    }

    @Test("one sample is every percentile; no sample is none")
    func few() {
        var delays = Delays()
        #expect(delays.summary.p50Ms == nil)
        delays.add(-500_000)
        #expect(delays.summary.p50Ms == -0.5)
        #expect(delays.milliseconds(at: 0.99) == -0.5)
    }

    @Test("a lane names its servers, its region and its tenants")
    func lane() throws {
        let lane = try #require(Lane(argument: "127.0.0.1:6379>localhost:6380/us-east/101-103"))
        #expect(lane.source.port == 6379)
        #expect(lane.target.host == "localhost")
        #expect(
            lane.streams == ["rs:{101}:voice:us-east", "rs:{102}:voice:us-east", "rs:{103}:voice:us-east"])
        for wrong in ["127.0.0.1:6379/us-east/101-103", "a:1>b:2/us-east/3-1", "a:1>b:0/us-east/1-3", ""] {
            #expect(Lane(argument: wrong) == nil, "\(wrong)")
        }
    }
}
