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

    @Test(
        "days on end, what is kept is as old as it must be and little older",
        arguments: [.seconds(8), .seconds(40 * 60), .seconds(3_600), .seconds(86_400)] as [Duration])
    func keepsUp(minimumAge: Duration) {
        var retention = Retention(minimumAge: minimumAge)
        let age = UInt64(minimumAge.components.seconds)
        let interval = UInt64(retention.interval.components.seconds)
        for second in stride(from: interval, through: 4 * max(age, 86_400 / 4), by: Int(interval)) {
            retention.noted(last: id(second), at: .seconds(Int64(second)))
            guard second > 2 * age else { continue }
            let lowest = retention.lowestToKeep(at: .seconds(Int64(second)), readers: [id(second)])
            let oldest = second - age
            #expect((lowest?.first ?? 0) <= oldest)
            #expect((lowest?.first ?? 0) + age / 16 + 2 * interval >= oldest, "at \(second)")
        }
    }
}
