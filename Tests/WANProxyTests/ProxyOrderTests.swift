import Testing
import WANProxy

@Suite("Orders to a proxy") struct ProxyOrderTests {
    @Test(
        "what a script writes",
        arguments: [
            ("delay 100", .delay(.milliseconds(100), [.there, .back])), ("delay 0 back", .delay(.zero, [.back])),
            ("rate 125000 there", .rate(125_000, [.there])), ("rate none", .rate(nil, [.there, .back])),
            ("stall", .pass(.stalled, [.there, .back])), ("cut there", .pass(.cut, [.there])),
            ("cut back", .pass(.cut, [.back])), ("heal", .heal),
            ("flap 500 1500", .flap(up: .milliseconds(500), down: .milliseconds(1500))), ("reset", .reset),
            ("reset-after 1234 there", .resetAfter(1234, [.there])), ("refuse", .refuse), ("accept", .accept),
            ("  stats ", .stats),
        ] as [(String, ProxyOrder)])
    func reads(line: String, order: ProxyOrder) throws {
        #expect(try ProxyOrder(line: line) == order)
    }

    @Test(
        "what is no order",
        arguments: [
            "", "dela", "delay", "delay -1", "delay 60001", "delay 1 sideways", "delay 1 back 2", "rate 999", "rate",
            "rate none none", "cut everything", "heal there", "flap 1", "flap 0 1", "reset-after x", "stats now",
        ])
    func refuses(line: String) {
        #expect(throws: ProxyOrder.Malformed(line: line)) { try ProxyOrder(line: line) }
    }
}
