import Journal
import Testing

@Suite("Retention: how far a journal may be trimmed")
struct RetentionTests {
    private func id(_ number: UInt64) -> EntryID { EntryID(first: number, second: 0) }

    /// A journal that grew by one entry a second for `seconds`.
    private func grown(seconds: UInt64, minimumAge: Duration) -> Retention {
        var retention = Retention(minimumAge: minimumAge)
        for second in 1...seconds { retention.noted(last: id(second), at: .seconds(Int64(second))) }
        return retention
    }

    @Test("what is younger than the minimum age stays, whoever has it")
    func keepsYoung() {
        let retention = grown(seconds: 20, minimumAge: .seconds(8))
        #expect(retention.lowestToKeep(at: .seconds(20), readers: [id(20)]) == id(12))
        #expect(grown(seconds: 5, minimumAge: .seconds(8)).lowestToKeep(at: .seconds(5), readers: [id(5)]) == nil)
    }

    @Test("the slowest reader keeps what it has not read, and its own cursor's entry")
    func keepsUnread() {
        let retention = grown(seconds: 20, minimumAge: .seconds(8))
        #expect(retention.lowestToKeep(at: .seconds(20), readers: [id(20), id(3)]) == id(3))
    }

    @Test("a reader whose cursor is unknown keeps everything, and so does one that has nothing")
    func keepsForUnknown() {
        let retention = grown(seconds: 20, minimumAge: .seconds(8))
        #expect(retention.lowestToKeep(at: .seconds(20), readers: [id(20), nil]) == nil)
        #expect(retention.lowestToKeep(at: .seconds(20), readers: [.zero]) == nil)
    }

    @Test("a journal that went back has no age")
    func forgetsOtherHistory() {
        var retention = grown(seconds: 20, minimumAge: .seconds(8))
        retention.noted(last: id(1), at: .seconds(21))
        #expect(retention.lowestToKeep(at: .seconds(22), readers: [id(1)]) == nil)
    }

    @Test("samples stay few over any time")
    func staysSmall() {
        let retention = grown(seconds: 100_000, minimumAge: .seconds(3_200))
        let lowest = retention.lowestToKeep(at: .seconds(100_000), readers: [id(100_000)])
        #expect(lowest != nil)
        #expect(MemoryLayout<Retention>.size < 64)
        #expect((lowest?.first ?? 0) <= 96_800)
    }
}
