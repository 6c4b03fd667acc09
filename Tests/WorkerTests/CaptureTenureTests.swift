import Testing

@testable import Worker

@Suite("The word by which a process' runs of capture know each other")
struct CaptureTenureTests {
    @Test("it stays over a short gap, and is another one after a long one, and where the process stood still")
    func gaps() {
        let tenure = CaptureTenure()
        let start = ContinuousClock.now
        let first = tenure.begin(at: start)
        for second in 1...100 { tenure.seen(at: start + .seconds(second)) }
        #expect(tenure.begin(at: start + .seconds(130)) == first)
        let second = tenure.begin(at: start + .seconds(161))
        #expect(second != first)
        // Stopped for a minute, it goes on as if nothing had been, and loses its lease then.
        tenure.seen(at: start + .seconds(162))
        tenure.seen(at: start + .seconds(222))
        tenure.seen(at: start + .seconds(223))
        #expect(tenure.begin(at: start + .seconds(224)) != second)
    }
}
