import Testing

@testable import RESPServer

@Suite("Log of clients that are cut off") struct CutOffLogTests {
    @Test("One of each reason a second is told of, with how many there were")
    func paused() {
        var log = CutOffLog()
        let told = [(0, Rejection.output), (0, .output), (0, .inputTotal), (999, .output), (1_000, .output)].map {
            log.cutOff($1, at: .milliseconds($0))
        }
        #expect(told == [1, nil, 1, nil, 3])
        let later = log.cutOff(.output, at: .seconds(60))
        #expect(later == 1)
    }

    @Test("Those that are only silent, or not in time, are not")
    func routine() {
        var log = CutOffLog()
        for reason in [Rejection.idle, .handshake, .draining] {
            let told = log.cutOff(reason, at: .zero)
            #expect(told == nil)
        }
    }
}
