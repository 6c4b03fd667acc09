import Testing

@testable import KafkaClient

@Suite("What may be in flight")
struct InFlightTests {
    @Test("both limits hold, and a message above the limit goes alone")
    func limits() {
        var queue = InFlight(messageLimit: 2, byteLimit: 100)
        #expect(queue.admits(byteCount: 1_000))
        queue.handedOver(byteCount: 60)
        #expect(!queue.admits(byteCount: 41))
        #expect(queue.admits(byteCount: 40))
        queue.handedOver(byteCount: 40)
        #expect(!queue.admits(byteCount: 0))
        queue.settled(byteCount: 60)
        #expect(queue.admits(byteCount: 60) && queue.hasRoom)
    }

    @Test("there is room again at half the limits")
    func room() {
        var queue = InFlight(messageLimit: 4, byteLimit: 100)
        for _ in 0..<3 { queue.handedOver(byteCount: 20) }
        #expect(!queue.hasRoom)
        queue.settled(byteCount: 20)
        #expect(queue.hasRoom)
        queue.handedOver(byteCount: 20)
        queue.settled(byteCount: 20)
        queue.handedOver(byteCount: 11)
        queue.settled(byteCount: 20)
        #expect(queue.hasRoom)
    }
}
