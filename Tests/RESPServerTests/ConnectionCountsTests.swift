import Testing

@testable import RESPServer

@Suite("Connection counts") struct ConnectionCountsTests {
    @Test("Limits in all and of a source; who leaves makes room")
    func limits() {
        let sources = (0..<5).map { ClientSource(address: [10, 0, 0, UInt8($0)]) }
        var counts = ConnectionCounts(limit: 4, limitPerSource: 2)
        let verdicts = [0, 0, 0, 1, 2, 3].map { counts.accepted(from: sources[$0]) }
        #expect(verdicts == [nil, nil, .clientsPerSource, nil, nil, .clients])
        counts.ended(from: sources[4])
        #expect(counts.total == 4, "it had no connection")
        counts.ended(from: sources[0])
        let again = counts.accepted(from: sources[0])
        #expect(again == nil && counts.total == 4)
        for source in [0, 0, 1, 2] { counts.ended(from: sources[source]) }
        #expect(counts.total == 0)
    }
}
