import Testing

@testable import RESPServer

@Suite("Login throttle") struct LoginThrottleTests {
    private static let source = ClientSource(address: [192, 0, 2, 1])

    private static func settings(_ change: (inout LoginThrottle.Settings) -> Void = { _ in }) -> LoginThrottle.Settings
    {
        var settings = LoginThrottle.Settings()
        settings.freeFailures = 2
        settings.firstDelay = .seconds(1)
        settings.longestDelay = .seconds(4)
        settings.longestWait = .seconds(10)
        settings.memory = .seconds(100)
        settings.sources = 4
        change(&settings)
        return settings
    }

    @Test("A few failures are free, then each attempt waits longer, up to a bound")
    func delays() {
        var throttle = LoginThrottle(settings: Self.settings())
        for _ in 0..<2 {
            let verdict = throttle.attempted(from: Self.source, at: .zero)
            #expect(verdict == .now)
            throttle.failed(from: Self.source, at: .zero)
        }
        let free = throttle.attempted(from: Self.source, at: .zero)
        #expect(free == .now)
        throttle.failed(from: Self.source, at: .zero)
        var now = Duration.zero
        for wait in [1, 2, 4, 4] {
            let verdict = throttle.attempted(from: Self.source, at: now)
            #expect(verdict == .later(now + .seconds(wait)))
            now += .seconds(wait)
            throttle.failed(from: Self.source, at: now)
        }
        let other = throttle.attempted(from: ClientSource(address: [192, 0, 2, 2]), at: now)
        #expect(other == .now)
    }

    @Test("Attempts at the same time take turns, and those at the end of a long queue are refused")
    func turns() {
        var throttle = LoginThrottle(settings: Self.settings())
        for _ in 0..<3 { throttle.failed(from: Self.source, at: .zero) }
        let verdicts = (0..<12).map { _ in throttle.attempted(from: Self.source, at: .zero) }
        let expected: [LoginThrottle.Verdict] = (1...10).map { .later(.seconds($0)) }
        #expect(Array(verdicts.prefix(10)) == expected)
        #expect(verdicts.suffix(2) == [.refused, .refused])
    }

    /// What becomes of attempts that come together, each of which waits for its turns: when those are that have one.
    private static func turns(of count: Int, areRight: Bool, in throttle: inout LoginThrottle) -> [Duration] {
        var waiting: [Duration] = []
        var taken: [Duration] = []
        for _ in 0..<count {
            if case .later(let turn) = throttle.attempted(from: source, at: .zero) { waiting.append(turn) }
        }
        while let turn = waiting.min(), let index = waiting.firstIndex(of: turn) {
            waiting.remove(at: index)
            switch throttle.turnCame(turn, from: source, since: .zero) {
            case .now:
                taken.append(turn)
                if areRight {
                    throttle.ended(from: source, at: turn)
                } else {
                    throttle.failed(from: source, at: turn)
                }
            case .later(let next): waiting.append(next)
            case .again, .refused: break
            }
        }
        return taken
    }

    @Test("Wrong attempts that came together wait for as long as if they had come one behind the other")
    func wrongTogether() {
        var throttle = LoginThrottle(settings: Self.settings())
        for _ in 0..<3 { throttle.failed(from: Self.source, at: .zero) }
        let taken = Self.turns(of: 100, areRight: false, in: &throttle)
        let waits = zip(taken.dropFirst(), taken).map { $0 - $1 }
        #expect(taken.first == .seconds(1))
        #expect(waits.count >= 2 && zip(waits, [2, 4, 4, 4]).allSatisfy { $0 >= .seconds($1) }, "\(taken)")
        let next = throttle.attempted(from: Self.source, at: .seconds(60))
        #expect(next == .now)
    }

    @Test("Right ones that came together have a turn each, one delay apart")
    func rightTogether() {
        var throttle = LoginThrottle(settings: Self.settings())
        for _ in 0..<3 { throttle.failed(from: Self.source, at: .zero) }
        let taken = Self.turns(of: 100, areRight: true, in: &throttle)
        #expect(taken == (1...10).map { .seconds($0) })
    }

    @Test("Sources that find no room give back what they had of it")
    func others() {
        let settings = Self.settings {
            $0.sources = 1
            $0.checks = 1
        }
        var throttle = LoginThrottle(settings: settings)
        throttle.failed(from: Self.source, at: .zero)
        let other = ClientSource(address: [192, 0, 2, 2])
        for _ in 0..<3 {
            let first = throttle.attempted(from: other, at: .zero)
            #expect(first == .now)
            let second = throttle.attempted(from: other, at: .zero)
            #expect(second == .again(settings.retry))
            throttle.ended(from: other, at: .zero)
        }
    }

    @Test("A source is forgotten in time")
    func forgotten() {
        var throttle = LoginThrottle(settings: Self.settings())
        for _ in 0..<10 { throttle.failed(from: Self.source, at: .zero) }
        let before = throttle.attempted(from: Self.source, at: .seconds(1))
        #expect(before == .later(.seconds(4)))
        throttle.failed(from: Self.source, at: .seconds(5))
        let after = throttle.attempted(from: Self.source, at: .seconds(200))
        #expect(after == .now)
        throttle.ended(from: Self.source, at: .seconds(200))
        #expect(throttle.sourceCount == 0)
    }

    @Test("Right logins, however many, do not keep a source slow that has not failed for long")
    func rightLogins() {
        var throttle = LoginThrottle(settings: Self.settings())
        for _ in 0..<10 { throttle.failed(from: Self.source, at: .zero) }
        for second in stride(from: 10, through: 100, by: 10) {
            let verdict = throttle.attempted(from: Self.source, at: .seconds(second))
            #expect(verdict == .now)
            throttle.ended(from: Self.source, at: .seconds(second))
            let next = throttle.attempted(from: Self.source, at: .seconds(second))
            #expect(next == .later(.seconds(second + 4)))
            throttle.ended(from: Self.source, at: .seconds(second + 4))
        }
        for _ in 0..<5 {
            let verdict = throttle.attempted(from: Self.source, at: .seconds(101))
            #expect(verdict == .now)
        }
    }

    @Test("So many secrets of a source are checked at a time; the others ask again and find what became of those")
    func checks() {
        var throttle = LoginThrottle(settings: Self.settings { $0.checks = 3 })
        for _ in 0..<3 {
            let verdict = throttle.attempted(from: Self.source, at: .zero)
            #expect(verdict == .now)
        }
        let fourth = throttle.attempted(from: Self.source, at: .zero)
        #expect(fourth == .again(.milliseconds(50)))
        throttle.ended(from: Self.source, at: .zero)
        let afterRight = throttle.attempted(from: Self.source, at: .zero)
        #expect(afterRight == .now)
        for _ in 0..<3 { throttle.failed(from: Self.source, at: .zero) }
        let afterWrong = throttle.attempted(from: Self.source, at: .zero)
        #expect(afterWrong == .later(.seconds(1)))
    }

    @Test("Sources beyond the bound share one place and keep those known before")
    func bounded() {
        var throttle = LoginThrottle(settings: Self.settings())
        for _ in 0..<3 { throttle.failed(from: Self.source, at: .zero) }
        for number in 0..<100 { throttle.failed(from: ClientSource(address: [10, 0, 0, UInt8(number)]), at: .zero) }
        #expect(throttle.sourceCount == 4)
        let known = throttle.attempted(from: Self.source, at: .zero)
        #expect(known == .later(.seconds(1)))
        throttle.failed(from: Self.source, at: .seconds(1))
        let unknown = throttle.attempted(from: ClientSource(address: [10, 0, 9, 9]), at: .zero)
        #expect(unknown != .now)
        throttle.failed(from: ClientSource(address: [10, 0, 9, 9]), at: .seconds(300))
        #expect(throttle.sourceCount == 1, "what is old makes room")
    }

    @Test("Each source that becomes old makes room for another one, and none before")
    func room() {
        var throttle = LoginThrottle(settings: Self.settings())
        let sources = (0..<7).map { ClientSource(address: [10, 0, 0, UInt8($0)]) }
        for place in 0..<4 { throttle.failed(from: sources[place], at: .seconds(10 * place)) }
        for _ in 0..<3 { throttle.failed(from: sources[4], at: .seconds(50)) }
        // The first is forgotten, the second is not: who comes then shares a place with those before.
        throttle.failed(from: sources[4], at: .seconds(105))
        throttle.failed(from: sources[5], at: .seconds(105))
        let own = throttle.attempted(from: sources[4], at: .seconds(105))
        let shared = throttle.attempted(from: sources[5], at: .seconds(105))
        #expect(own == .now && shared != .now)
        throttle.failed(from: sources[6], at: .seconds(111))
        let next = throttle.attempted(from: sources[6], at: .seconds(111))
        #expect(next == .now)
        #expect(throttle.sourceCount == 4)
    }

    @Test("A check that began in the shared place and ended in one of its own does not count for ever")
    func moved() {
        var throttle = LoginThrottle(
            settings: Self.settings {
                $0.sources = 1
                $0.checks = 1
            })
        let others = [UInt8(1), 2].map { ClientSource(address: [10, 0, 0, $0]) }
        throttle.failed(from: Self.source, at: .zero)
        let first = throttle.attempted(from: others[0], at: .zero)
        #expect(first == .now)
        // There is room for it now.
        throttle.ended(from: others[0], at: .seconds(200))
        throttle.failed(from: Self.source, at: .seconds(200))
        let next = throttle.attempted(from: others[1], at: .seconds(200))
        #expect(next == .now)
    }

    @Test("An IPv6 customer's network is one source, an IPv4 address in IPv6 itself")
    func sources() {
        var one: [UInt8] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1] + Array(repeating: 0, count: 8)
        let network = ClientSource(address: one)
        one[15] = 9
        #expect(ClientSource(address: one) == network)
        one[7] = 2
        #expect(ClientSource(address: one) != network)
        let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff, 192, 0, 2, 1]
        #expect(ClientSource(address: mapped) == Self.source)
        #expect(ClientSource(address: []) == .local)
    }
}
